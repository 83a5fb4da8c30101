"""Messages of Douyin that are right, for its tests: pushes, an order's detail, an after-sale's."""

from typing import Any

ID = "4705288465508532862"
AT = 1618990587

ORDER_SAID = {"p_id": ID, "s_ids": [ID], "shop_id": 95250, "order_type": 0, "biz": 2}
PARCEL = {"express_company_id": "yunda", "logistics_code": "YD1"}
RECEIVER = {
    "name": "周一",
    "tel": "13678643212",
    "addr": {
        "province": {"name": "浙江省", "id": "330000"},
        "city": {"name": "杭州市", "id": "330100"},
        "town": {"name": "滨江区", "id": "330108"},
        "detail": "松岭路888号",
    },
}
SALE = {
    "p_id": ID, "s_id": 4705288465508533000, "aftersale_id": 7000893114000949517, "aftersale_status": 6,
    "aftersale_type": 0, "refund_amount": 8900, "refund_post_amount": 600, "reason_code": 1,
}  # fmt: skip


def push(tag: Any, **data: Any) -> dict[str, Any]:
    return {"tag": tag, "msg_id": "m", "data": ORDER_SAID | data}


def sale(tag: Any, **data: Any) -> dict[str, Any]:
    return {"tag": tag, "msg_id": "m", "data": SALE | data}


SKU = {
    "order_id": ID, "sku_id": 3373737, "product_id": 2329389, "product_name": "杯子", "item_num": 2,
    "origin_amount": 10000, "pay_amount": 20500, "pay_time": AT, "given_product_type": "",
    "logistics_receipt_time": 0, "confirm_receipt_time": 0,
}  # fmt: skip
GIFT = SKU | {"order_id": "2", "sku_id": 1, "given_product_type": "FREE", "origin_amount": 0, "pay_amount": 0}
DETAIL: dict[str, Any] = {
    "order_id": ID, "doudian_open_id": "1@#SGf7u/L4T728WdIaNcm6c+7S==", "open_id": "69175", "order_status": 2,
    "order_type": 0, "pay_type": 2, "create_time": AT - 60, "pay_time": AT, "update_time": AT + 60, "ship_time": 0,
    "finish_time": 0, "exp_ship_time": 1800000000, "order_amount": 20500, "pay_amount": 20500, "post_amount": 500,
    "post_receiver": "", "encrypt_post_receiver": "#Xo6CVO0o6ywDFNFFYxoQrVZm#1##", "mask_post_receiver": "周*",
    "post_tel": "", "encrypt_post_tel": "$K4B5pXl2C4Vxq0kD$1$$", "mask_post_tel": "1********12",
    "post_addr": RECEIVER["addr"] | {"detail": "", "encrypt_detail": "#Xo6CVO0o6ywDFNFFYxoQrVZm#1##"},
    "mask_post_addr": RECEIVER["addr"] | {"detail": "松岭路***号"}, "open_address_id": "#OdfQ5MRY8CwIUcA=",
    "seller_words": "红旗", "seller_remark_stars": 5, "buyer_words": "要快", "cancel_reason": "",
    "sku_order_list": [SKU], "logistics_info": [],
}  # fmt: skip
PACKED = {
    "tracking_no": "SF1", "company": "shunfeng", "company_name": "顺丰", "ship_time": AT + 30,
    "product_info": [{"sku_order_id": ID}],
}  # fmt: skip


def detail(**change: Any) -> dict[str, Any]:
    return {"shop_order_detail": DETAIL | change}


AFTER_SALE: dict[str, Any] = {
    "after_sale_id": 7000893114000949517, "after_sale_status": 6, "after_sale_type": 0, "refund_status": 1,
    "refund_total_amount": 8900, "refund_post_amount": 600, "apply_time": AT, "update_time": AT + 60,
    "refund_time": 0, "reason": "1",
}  # fmt: skip
BACK = {"tracking_no": "SF9", "company_name": "顺丰", "company_code": "shunfeng", "logistics_time": AT + 40}


def after_sale(back: Any = None, **change: Any) -> dict[str, Any]:
    process = {"after_sale_info": AFTER_SALE | change, "logistics_info": {"return": back}}
    order = {"shop_order_id": int(ID), "sku_order_infos": [{"sku_order_id": 4705288465508533000}]}
    return {"data": {"process_info": process, "order_info": order}}
