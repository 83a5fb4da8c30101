"""What buyers say, sentence by sentence: intents plain, denied, quoted, asked and mixed (domain.md 3, texts.md)."""

import pytest

from services.chat_ingest.phrases import Situation, phrasebook
from services.chat_ingest.phrases.buyer import STICKER

SAID = {
    # price
    "这个多少钱一件": "price",
    "现在有优惠吗": "price",
    "没有优惠吗": "price",
    "在哪里领券呀": "price",
    "新疆包邮吗?": "price",
    "优惠券不能用": "price",
    "能不能用优惠券": "",
    # authenticity
    "你家是正品吗": "authenticity",
    "是不是假货啊,味道不一样": "authenticity",
    "有授权吗?有质检报告吗?": "authenticity",
    "专柜能验吗": "authenticity",
    # stock
    "黑色M码还有吗": "stock",
    "没货了吗": "stock",
    "白色断码了,什么时候补货": "stock",
    "没有现货吗": "stock",
    # ship_time
    "我昨天拍的,怎么还没发": "ship_time",
    "还没发货": "ship_time",
    "今天能发吗,急用": "ship_time",
    "到广州几天能到": "ship_time",
    "麻烦快点发": "ship_time",
    "你们说今天发货怎么还没发": "ship_time",
    # trace
    "我的快递到哪了": "trace",
    "物流不动三天了": "trace",
    "显示签收了但我没收到货": "trace",
    "帮忙查一下快递": "trace",
    "不是没收到货": "",
    "不用查件了": "",
    "没收到退款": "",
    # change_address
    "地址写错了,帮我改地址": "change_address",
    "能寄到公司吗": "change_address",
    "换收货人可以吗": "change_address",
    "麻烦改一下收货地址": "change_address",
    "不用改地址": "",
    # cancel
    "拍错了,帮我取消": "cancel",
    "不想要了": "cancel",
    "我不要了": "cancel",
    "先别发货": "cancel",
    "我要申请退款": "cancel",
    "不是不想要了": "",
    "先不取消": "",
    "没有申请退款啊": "",
    "我要不要了解一下": "",
    "取消订阅": "opt_out",
    # return_exchange
    "我要退货": "return_exchange",
    "退货地址是哪里": "return_exchange",
    "请问怎么退": "return_exchange",
    "不喜欢能退吗": "return_exchange",
    "不能退吗": "return_exchange",
    "想换大一码": "return_exchange",
    "有运费险的吧": "return_exchange",
    "为什么不给退货": "return_exchange",
    "不能换货太坑了": "return_exchange",
    "要不换货吧": "return_exchange",
    "要不要退货呢": "return_exchange",
    "只能不得不退货": "return_exchange",
    "不是退货,是换货": "return_exchange",
    "不要红色,换个颜色": "return_exchange",
    "不要红色换个颜色": "return_exchange",
    "没有 退货地址发我一下": "return_exchange",
    "不是要退货": "",
    "不用换货": "",
    "不想退货": "",
    "不 想 退 货": "",
    "我没说要退货": "",
    "不用给我换货": "",
    "不用退货或者换货": "",
    "换货就不用了": "",
    "不退货可以吗": "",
    # wrong_item
    "你们发错了吧": "wrong_item",
    "是不是发错货了": "wrong_item",
    "发错了吗": "wrong_item",
    "这不是我买的": "wrong_item",
    "收到的颜色不对": "wrong_item",
    "实物和拍的不一样": "wrong_item",
    "千万别发错了": "",
    "如果发错了怎么办": "",
    "没有发错货": "",
    # missing
    "少了一件衣服": "missing",
    "你们漏发了一个盖子": "missing",
    "没有配件啊": "missing",
    "说好的赠品没收到": "missing",
    "只收到一个,我拍了两个": "missing",
    "没少发": "",
    "别漏发哦": "",
    # damaged
    "杯子碎了": "damaged",
    "收到是坏的": "damaged",
    "箱子压坏了,里面漏了": "damaged",
    "包装破损严重": "damaged",
    "会不会压坏": "",
    "怕摔坏,多包几层": "",
    "没有破损": "",
    # quality
    "这是质量问题吧": "quality",
    "这不是质量问题吗": "quality",
    "不是没有质量问题": "quality",
    "用了两天坏了": "quality",
    "怎么坏了?": "quality",
    "这个不能用": "quality",
    "一洗就掉色": "quality",
    "灯不亮": "quality",
    "有异味还起球": "quality",
    "不是质量问题": "",
    "没有质量问题,就是不合适": "",
    "没有坏": "",
    "没什么质量问题": "",
    "会掉色吗": "",
    "不会起球吧": "",
    "洗了会不会掉色": "",
    "这个灯亮不亮": "",
    "气坏了": "",
    # usage
    "这个怎么安装": "usage",
    "我不会装": "usage",
    "盖子打不开": "usage",
    "没有说明书": "usage",
    "有没有教程": "usage",
    # invoice
    "能开票吗": "invoice",
    "没有发票": "invoice",
    "抬头和税号发你了": "invoice",
    "需要电子发票": "invoice",
    "不要发票": "",
    "发票不需要了": "",
    "发票不要了": "",
    # complaint
    "再不处理我要投诉": "complaint",
    "打12315": "complaint",
    "给你差评": "complaint",
    "骗子店铺": "complaint",
    "我找平台": "complaint",
    "我没有投诉": "",
    "不会给差评的": "",
    "工商银行可以付吗": "",
    # praise
    "质量很好,还会再来": "praise",
    "真不错": "praise",
    "孩子很喜欢": "praise",
    "没想到质量很好": "praise",
    "服务好": "praise",
    "不满意": "",
    "不是很好": "",
    "不太喜欢": "",
    "效果很好吗": "",
    "不是特别满意": "",
    # human
    "转人工": "human",
    "别用机器人回我": "human",
    "有人吗": "human",
    "你是真人吗": "human",
    "不用转人工": "",
    # bargaining
    "便宜点吧": "bargaining",
    "能少吗": "bargaining",
    "太贵了": "bargaining",
    "抹零可以吗": "bargaining",
    "最低价是不是这个": "bargaining",
    "包邮行吗": "bargaining",
    "不能便宜点吗": "bargaining",
    "不打折就算了": "",
    "可以打折吗": "bargaining",
    # opt_out
    "退订": "opt_out",
    "不要再发短信给我了": "opt_out",
    # of several
    "多少钱?包邮吗?什么时候发货": "price ship_time",
    "发错了,我要退货": "wrong_item return_exchange",
    "破了,能换吗": "damaged return_exchange",
    "不是质量问题是发错了": "wrong_item",
    "万一坏了能退吗": "return_exchange",
    "太贵了不要了": "bargaining cancel",
    "质量很好,就是发票没开": "praise invoice",
    "没收到货,再不发我投诉": "trace complaint",
    # quoted
    "客服说可以退货的": "",
    "客服说可以退货,可是我要换货": "return_exchange",
    "你们说七天无理由": "",
    "你们客服昨天跟我说不能退货我要投诉": "complaint",
    "客服说:亲,可以退货,运费险也有。我拍了": "",
    "你们不是说包邮吗": "",
    "详情页写着「七天无理由」": "",
    "你们写的“假一赔几”什么意思": "",
    '他回我"质量问题不管"': "",
    "引用:退货地址已发您\n好的": "ack",
    "「小林:需要退货吗?」\n- - - - - - - - -\n不用了": "",
    "「小林:「破了」\n- - - - -\n给您退货」\n- - - - - - -\n灯不亮": "quality",
    "「没有另一半的引号,我要退货": "return_exchange",
    "我之前说要退货": "return_exchange",
    # written otherwise
    "我要 退 货": "return_exchange",
    "退❤️货": "return_exchange",
    "打１２３１５": "complaint",
    "退*货": "return_exchange",
}


@pytest.mark.parametrize(("text", "intents"), SAID.items(), ids=SAID.keys())
def test_a_sentence_means(text: str, intents: str) -> None:
    assert sorted(found.intent for found in phrasebook().read_buyer(text).intents) == sorted(intents.split())


@pytest.mark.parametrize(
    "text", ["好的", "好的~", "嗯嗯", "OK", "收到,谢谢!", "好的好的", "好哒亲", "知道了哦", "👍", "[微笑]", "/:087"]
)
def test_an_acknowledgement_is_one_only_as_the_whole_message(text: str) -> None:
    said = phrasebook().read_buyer(text)
    assert said.is_ack
    assert [found.intent for found in said.intents] == ["ack"]


@pytest.mark.parametrize(
    "text",
    [
        "好的,什么时候发货",
        "好?",
        "行不行",
        "好多",
        "谢谢你的退货地址",
        "收到货了",
        "?",
        "。。。",
        "",
        "[图片]",
        "👍多少钱",
    ],
)
def test_what_says_anything_else_is_no_acknowledgement(text: str) -> None:
    assert not phrasebook().read_buyer(text).is_ack


def test_a_sticker_acknowledges_without_a_phrase_of_its_own() -> None:
    assert phrasebook().read_buyer("[玫瑰]👍🏻").intents[0].phrase == STICKER


def test_an_intent_is_found_once_where_the_text_first_says_it() -> None:
    text = "亲😊 我要 退 货,怎么退"
    (found,) = phrasebook().read_buyer(text).intents
    assert (found.phrase, text[found.start : found.end]) == ("退货", "退 货")


def test_the_longest_phrase_wins_where_phrases_overlap() -> None:
    (found,) = phrasebook().read_buyer("退货地址发我").intents
    assert found.phrase == "退货地址"


SITUATIONS: dict[str, Situation | None] = {
    "现在双11还能便宜点吗": "campaign",
    "我买的多能少吗": "buying_many",
    "便宜点下次还来": "next_time",
    "用了券再便宜点": "after_discount",
    "别家便宜,你们能少吗": "cheaper_elsewhere",
    "说了半天,便宜点吧": "many_rounds",
    "便宜点": None,
    "双11什么时候开始": None,
}


@pytest.mark.parametrize(("text", "situation"), SITUATIONS.items(), ids=SITUATIONS.keys())
def test_a_bargaining_message_tells_its_situation(text: str, situation: Situation | None) -> None:
    said = phrasebook().read_buyer(text)
    assert said.situation == situation
    assert said.bargains or situation is None


@pytest.mark.parametrize("text", ["我要投诉你", "你态度差", "你们客服太敷衍我了", "什么态度啊", "服务好差"])
def test_a_complaint_about_an_agent_is_known_and_is_a_complaint(text: str) -> None:
    said = phrasebook().read_buyer(text)
    assert said.about_agent
    assert said.has("complaint")


@pytest.mark.parametrize(
    "text", ["质量这么差我要投诉", "打12315", "我没有投诉你", "你们不是说投诉客服没用", "态度很好"]
)
def test_a_complaint_about_goods_or_none_at_all_is_not_about_an_agent(text: str) -> None:
    assert phrasebook().read_buyer(text).about_agent is None


@pytest.mark.parametrize(("text", "asks"), [("在吗", True), ("多久到", True), ("要不要洗", True), ("我要红色", False)])
def test_a_question_is_known(text: str, asks: bool) -> None:
    assert phrasebook().read_buyer(text).is_question is asks


def test_who_asks_for_a_human_is_heard() -> None:
    assert phrasebook().read_buyer("机器人答非所问,转人工").wants_human
    assert not phrasebook().read_buyer("不用转人工").wants_human
