"""Never said: rewards for reviews, off-platform diversion; whatever stands between the characters (texts.md)."""

from pathlib import Path

import pytest

from services.kernel.phrases import NeverSaid, PhraseError, never_said

REVIEW = ["好评", "五星", "5星", "五分", "满分", "晒图", "追评", "改评", "删评"]
REWARD = [
    "返现", "返钱", "返利", "红包", "优惠券", "现金", "免单", "补偿", "福利", "礼品", "赠品", "赠送",
]  # fmt: skip


def rules(text: str) -> list[str]:
    return [found.rule for found in never_said().find(text)]


@pytest.mark.parametrize("review", REVIEW)
@pytest.mark.parametrize("reward", REWARD)
def test_any_word_of_reviews_with_any_reward_is_found(review: str, reward: str) -> None:
    assert rules(f"亲,给个{review}哦,有{reward}") == ["review_reward"]
    assert rules(f"{reward}等您,{review}就行") == ["review_reward"]


@pytest.mark.parametrize("word", [*REVIEW, *REWARD])
def test_either_alone_is_not(word: str) -> None:
    assert rules(f"亲,{word}") == []


@pytest.mark.parametrize("word", ["微信", "加V", "QQ", "二维码", "外链"])
def test_off_platform_diversion_is_found(word: str) -> None:
    assert rules(f"您{word}找我") == ["off_platform"]


@pytest.mark.parametrize(
    "text",
    [
        "好 评 返 现",
        "好❤️评返💰现",
        "好评　返现",
        "好*评返_现",
        "５星红包",
        "5️⃣星红包",
        "好[微笑]评返/:087现",
        "好\u200b评返现",
        "微 信",
        "微🌹信",
        "加Ｖ",
        "加 V",
        "加Ⅴ",
        "加🅥",
        "Ｑ Ｑ",
        "q·q",
        "加VX",
        "加V:kefu",
        "加Vkefu88",
        "QQ123456",
        "VIP QQ群",
    ],
)
def test_what_stands_between_the_characters_hides_nothing(text: str) -> None:
    assert len(rules(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "请返回上一页写评价",
        "好评礼貌",
        "很好,评价高,有红包",
        "五分钟内给您补偿",
        "加VIP会员",
        "加V领的",
        "尊贵的VIP",
        "有QQ糖吗",
        "微小的信号",
        "收到好评很开心",
        "满分十分",
        "4.5星,可领优惠券",
        "AQQUA",
        "",
    ],
)
def test_near_misses_are_no_hits(text: str) -> None:
    assert rules(text) == []


def test_both_rules_are_told_with_their_words() -> None:
    found = never_said().find("加微信,晒图返现")
    assert [(each.rule, each.phrase) for each in found] == [("review_reward", "晒图 返现"), ("off_platform", "微信")]


def test_a_shop_can_add_words_and_take_none_away(tmp_path: Path) -> None:
    file = tmp_path / "never_said.toml"
    file.write_text('[off_platform]\nadd = ["抖音号"]\n', encoding="utf-8")
    assert [each.phrase for each in NeverSaid(file).find("抖音号")] == ["抖音号"]
    for key in ("remove", "phrases"):
        file.write_text(f'[off_platform]\n{key} = ["微信"]\n', encoding="utf-8")
        with pytest.raises(PhraseError, match=key):
            NeverSaid(file)
