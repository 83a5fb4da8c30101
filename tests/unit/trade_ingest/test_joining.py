"""Files of an export become one record an order; a file that cannot be read is named in one line."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.trade_ingest.exports import joining
from services.trade_ingest.exports.joining import Export, ExportError, read_export
from services.trade_ingest.exports.mapping import File, Mapping
from services.trade_ingest.exports.record import OrderRecord, Row

ORDERS = "id,buyer,time\no1,k1,2026-03-02 10:00:00\no2,k2,2026-03-02 11:00:00\n"
REVIEWS = "id,order,stars,when,text\nv1,o1,5,2026-03-09,好\n"
PHONE = "13812341234"
BUYERS = "key,open_id\nk1,b1\nk2,b2\n"


def mapping(**changes: Any) -> Mapping:
    orders = File(
        file="orders.csv",
        columns={"order_id": "id", "buyer_key": "buyer", "placed": "time"},
        constants={"carrier": "中通"},
    )
    reviews = File(
        file="reviews.csv",
        columns={"review_id": "id", "order_id": "order", "score": "stars", "posted": "when", "text": "text"},
    )
    buyers = File(file="buyers.csv", columns={"buyer_key": "key", "buyer_id": "open_id"})
    whole: dict[str, Any] = {
        "platform": "other", "shop_kind": "mall", "time_zone": "Asia/Shanghai", "money": "yuan",
        "orders": orders, "reviews": reviews, "buyers": buyers,
    }  # fmt: skip
    return Mapping(**(whole | changes))


def files(directory: Path, encoding: str = "utf-8", **texts: str) -> Path:
    for name, text in ({"orders": ORDERS, "reviews": REVIEWS, "buyers": BUYERS} | texts).items():
        (directory / f"{name}.csv").write_bytes(text.encode(encoding))
    return directory


def records(export: Export) -> list[OrderRecord]:
    found = [msgspec.json.decode(payload, type=OrderRecord) for payload in export.records()]
    assert len(found) == export.messages
    return found


def test_an_order_and_its_rows_are_one_record_with_file_row_and_fields(tmp_path: Path) -> None:
    export = read_export(files(tmp_path), mapping())
    first, second = records(export)
    order = {"order_id": "o1", "buyer_key": "k1", "placed": "2026-03-02 10:00:00", "carrier": "中通"}
    review = {"review_id": "v1", "order_id": "o1", "score": "5", "posted": "2026-03-09", "text": "好"}
    assert first.orders == (Row(file="orders.csv", row=2, fields=order),)
    assert first.reviews == (Row(file="reviews.csv", row=2, fields=review),)
    assert first.buyers == (Row(file="buyers.csv", row=2, fields={"buyer_key": "k1", "buyer_id": "b1"}),)
    assert (second.orders[0].place, second.reviews) == ("orders.csv row 3", ())
    assert first.rules == mapping().rules
    assert dict(export.rows) == {"orders.csv": 2, "reviews.csv": 1, "buyers.csv": 2}


def test_columns_that_the_mapping_does_not_name_stay_where_they_are(tmp_path: Path) -> None:
    phone = ORDERS.replace("time\n", "time,phone\n").replace(":00\n", f":00,{PHONE}\n")
    export = read_export(files(tmp_path, orders=phone), mapping())
    assert PHONE.encode() not in b"".join(export.records())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_bom_line_ends_and_chinese_encodings_change_nothing(tmp_path: Path, encoding: str, end: str) -> None:
    texts = {name: text.replace("\n", end) for name, text in (("orders", ORDERS), ("reviews", REVIEWS))}
    directory = files(tmp_path, encoding=encoding, **texts)
    there = mapping(encoding="gb18030" if encoding == "gb18030" else "utf-8-sig")
    assert records(read_export(directory, there))[0].reviews[0].fields["text"] == "好"


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    text = REVIEWS + '\nv2,o1,4,2026-03-10,"two\nlines, one row"\nv3,o2,1,2026-03-11,x\n'
    first, second = records(read_export(files(tmp_path, reviews=text), mapping()))
    assert [row.row for row in first.reviews] == [2, 4], "row 3 is blank"
    assert first.reviews[1].fields["text"] == "two\nlines, one row"
    assert second.reviews[0].row == 5


def test_ids_that_a_spreadsheet_guarded_find_each_other(tmp_path: Path) -> None:
    guarded = REVIEWS.replace("v1,o1", 'v1,"=""o1"""') + "v2,'o1,4,2026-03-10,\nv3, o1\t,4,2026-03-10,\n"
    assert len(records(read_export(files(tmp_path, reviews=guarded), mapping()))[0].reviews) == 3


def test_a_row_that_belongs_to_no_order_is_a_record_of_its_own(tmp_path: Path) -> None:
    texts = {"reviews": REVIEWS + "v2,o9,4,2026-03-10,\n", "orders": ORDERS + ",k1,2026-03-02 12:00:00\nNULL,k1,x\n"}
    export = read_export(files(tmp_path, **texts), mapping())
    alone = records(export)[2:]
    assert [[row.place for row in (*one.orders, *one.reviews)] for one in alone] == [
        ["orders.csv row 4"],
        ["orders.csv row 5"],
        ["reviews.csv row 3"],
    ]
    assert (len(export.orders), len(export.stray)) == (2, 3)


def test_a_buyer_without_an_order_states_nothing_and_is_counted(tmp_path: Path) -> None:
    export = read_export(files(tmp_path, buyers=BUYERS + "k3,b3\n"), mapping())
    assert (export.messages, export.idle_buyers) == (2, 1)


def test_a_row_of_another_width_than_its_header_is_marked(tmp_path: Path) -> None:
    export = read_export(files(tmp_path, reviews=REVIEWS + "v2,o1,4\n"), mapping())
    assert records(export)[0].reviews[1].damage == "a row of 3 cells under a header of 5"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            {"orders": f"nr,buyer,time\n{PHONE},k1,x\n"},
            "orders.csv: no column 'id', which the mapping names for order_id",
        ),
        ({"orders": f"{PHONE},k1,x\n"}, "its first row, of 3 cells between ',', is no such header"),
        ({"orders": ""}, "orders.csv: no column 'id'"),
        ({"orders": ORDERS.replace("buyer", "id", 1)}, "orders.csv: several columns 'id'"),
        ({"reviews": f'{REVIEWS}v2,o1,4,2026-03-10,"never closed\nv3,o2,{PHONE}\n'}, "reviews.csv: no CSV after row 2"),
        ({"reviews": f"{REVIEWS}v2,o1,4,2026-03-10,{PHONE * 20_000}\n"}, "reviews.csv: no CSV after row 2"),
        ({"reviews": REVIEWS + f"v,o1,1,1,{PHONE * 9_000}\n" * 6}, "orders.csv row 2: the rows of this order take"),
    ],
)
def test_an_export_that_cannot_be_read_is_one_line_that_names_the_file_and_quotes_nothing(
    tmp_path: Path, texts: dict[str, str], said: str
) -> None:
    with pytest.raises(ExportError) as raised:
        read_export(files(tmp_path, **texts), mapping())
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert PHONE not in str(raised.value)


def test_another_encoding_than_the_mapping_says_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"reviews.csv: not utf-8-sig after row \d; say its encoding in the mapping"):
        read_export(files(tmp_path, encoding="gb18030"), mapping())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (files(tmp_path) / "buyers.csv").unlink()
    with pytest.raises(ExportError, match=r"buyers.csv: No such file or directory; \[buyers\] of the mapping"):
        read_export(tmp_path, mapping())


def test_a_record_is_never_larger_than_what_was_reckoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = read_export(files(tmp_path), mapping())
    largest = max(map(len, export.records()))
    monkeypatch.setattr(joining, "MAX_BYTES", largest - 1)
    with pytest.raises(ExportError, match=r"orders.csv row 2: the rows of this order take"):
        read_export(tmp_path, mapping())
