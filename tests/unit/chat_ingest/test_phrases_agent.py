"""What agents say: stages, need questions, promises, claims of a grant, and what is never said (domain.md 3)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.chat_ingest.phrases import AgentText, Promise, phrasebook

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


def read(text: str, now: datetime = NOW) -> AgentText:
    return phrasebook().read_agent(text, now)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NOW.tzinfo)


STAGES = {
    "您好,欢迎光临小屋旗舰店,我是客服小林": "greet",
    "请问您平时喜欢什么风格": "ask",
    "根据您的身高体重,建议选L码": "analyse ask",
    "给您推荐这款,搭配裤子一起买更好看": "recommend",
    "亲,已经是最低价了,价格是统一的": "negotiate",
    "邮费已改,您点击付款就可以": "help",
    "核对一下收货信息,信息无误我就备注好了": "verify",
    "感谢光临,祝您购物愉快": "farewell",
    "您好,我帮您核对一下,感谢惠顾": "greet verify farewell",
    "稍等": "",
    "「买家:您好」\n- - - - - - -\n稍等": "",
    "不推荐您买这款": "",
}


@pytest.mark.parametrize(("text", "stages"), STAGES.items(), ids=STAGES.keys())
def test_a_message_reaches_stages(text: str, stages: str) -> None:
    assert sorted(reached.stage for reached in read(text).stages) == sorted(stages.split())


def test_a_stage_stands_where_it_is_first_said() -> None:
    text = "亲~ 您 好,您好"
    (reached,) = read(text).stages
    assert text[reached.start : reached.end] == "您 好"


def test_a_recommendation_and_a_farewell_are_known() -> None:
    said = read("可以看看这款哦,期待再次光临")
    assert (said.recommends, said.farewell) == (True, True)
    said = read("在的")
    assert (said.recommends, said.farewell) == (False, False)


QUESTIONS = {
    "请问您平时穿多大码?": 1,
    "您好,您家客厅多大呢?预算多少?": 2,
    "您穿什么尺码,用在哪里": 2,
    "您的孩子几岁了?": 1,
    "有什么可以帮您?": 0,
    "地址是您公司的吗?": 0,
    "您好,在的": 0,
    "好的?": 0,
}


@pytest.mark.parametrize(("text", "count"), QUESTIONS.items(), ids=QUESTIONS.keys())
def test_need_questions_are_counted_by_clause(text: str, count: int) -> None:
    assert read(text).questions == count


PROMISES: dict[str, list[tuple[str, int | None, str | None]]] = {
    "送您一份小礼物": [("gift", None, None)],
    "给您备注赠品了": [("gift", None, None)],
    "给您多送一双袜子": [("gift", None, None)],
    "给您优惠5元": [("discount", 500, None)],
    "便宜10块吧": [("discount", 1000, None)],
    "这单便宜5可以吗": [("discount", 500, None)],
    "便宜您五块五": [("discount", 550, None)],
    "我帮您改价": [("discount", None, None)],
    "给您打9折": [("discount", None, None)],
    "补偿您10元": [("compensation", 1000, None)],
    "赔您¥9.90": [("compensation", 990, None)],
    "10元补偿给您": [("compensation", 1000, None)],
    "二十元补偿给您": [("compensation", 2000, None)],
    "24小时内补偿您10元": [("compensation", 1000, "2026-11-25T14:00")],
    "送您袜子,补偿您5毛": [("gift", None, None), ("compensation", 50, None)],
    "今天发出": [("time", None, "2026-11-25T00:00")],
    "今天之内给您发货": [("time", None, "2026-11-25T00:00")],
    "明天到": [("time", None, "2026-11-26T00:00")],
    "后天能送到": [("time", None, "2026-11-27T00:00")],
    "48小时内发货": [("time", None, "2026-11-26T14:00")],
    "半小时内回复您": [("time", None, "2026-11-24T14:30")],
    "十分钟之内联系您": [("time", None, "2026-11-24T14:10")],
    "一个半小时内答复": [("time", None, "2026-11-24T15:30")],
    "2~3天内退款": [("time", None, "2026-11-28T00:00")],
    "三天内到账": [("time", None, "2026-11-28T00:00")],
    "3个工作日内退款": [("time", None, None)],
    "下午五点前给您发": [("time", None, "2026-11-24T17:00")],
    "5点前给您发": [("time", None, "2026-11-24T17:00")],
    "10点前给您发": [("time", None, "2026-11-24T22:00")],
    "18:30前寄出": [("time", None, "2026-11-24T18:30")],
    "上午给您答复": [("time", None, "2026-11-25T12:00")],
    "明天下午3点半回复您": [("time", None, "2026-11-25T15:30")],
    "明天中午12点前安排": [("time", None, "2026-11-25T12:00")],
    "今晚12点前发走": [("time", None, "2026-11-25T00:00")],
    "不能送您": [],
    "没有赠品": [],
    "赠品送不了": [],
    "没有权限给您优惠": [],
    "我们不议价不改价的": [],
    "需要给您备注赠品吗?": [],
    "满300减30": [],
    "优惠价98元": [],
    "赠品是随机的": [],
    "假一赔十": [],
    "预计明天到": [],
    "今天已经发出": [],
    "今天收到您的消息": [],
    "一般3天内到": [],
    "今天18:00前付款的订单当天发出": [],
    "今天25点发出": [("time", None, None)],
    "您说的“送您一份”没有": [],
}


@pytest.mark.parametrize(("text", "promised"), PROMISES.items(), ids=PROMISES.keys())
def test_an_agent_promises(text: str, promised: list[tuple[str, int | None, str | None]]) -> None:
    found = [(promise.what, promise.amount_fen, promise.due_at) for promise in read(text).promises]
    assert found == [(what, fen, local(due) if due else None) for what, fen, due in promised]


def test_a_promise_says_its_phrase_and_its_due_time_in_utc() -> None:
    (promise,) = read("今天发出").promises
    assert promise == Promise("time", "发出", None, datetime(2026, 11, 24, 16, 0, tzinfo=UTC))
    assert promise.due_at is not None
    assert promise.due_at.utcoffset() == timedelta(0)


def test_today_is_the_day_of_the_shop() -> None:
    late = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    (in_utc,), (in_shanghai,) = read("今天发出", late).promises, read("今天发出", late.astimezone(NOW.tzinfo)).promises
    assert in_utc.due_at == datetime(2026, 11, 25, tzinfo=UTC)
    assert in_shanghai.due_at == datetime(2026, 11, 25, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["已向主管申请", "主管同意了,给您优惠", "帮您申请下来了", "经主管批准"])
def test_a_phrase_that_claims_a_grant_is_told(text: str) -> None:
    assert read(text).claims_grant


@pytest.mark.parametrize(
    "text", ["我请示主管", "帮您申请一下", "等主管同意", "要主管批准才行", "您已经申请退款", "好的"]
)
def test_asking_for_a_grant_claims_none(text: str) -> None:
    assert read(text).claims_grant is None


def test_what_is_never_said_counts_in_quotation_marks_too() -> None:
    (forbidden,) = read("写“好评”送您红包").forbidden
    assert (forbidden.rule, forbidden.phrase) == ("review_reward", "好评 红包")


def test_what_the_platform_quotes_of_the_buyer_is_not_said_by_the_agent() -> None:
    assert read("「买家:好评返现吗」\n- - - - - - - -\n没有的哦").forbidden == ()
