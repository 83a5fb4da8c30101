"""Phrase files: checked when loaded, each fault with its file, group and phrase; a shop's files lie over ours."""

import shutil
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from services.chat_ingest.phrases import Phrasebook, PhraseError, Situation, phrasebook
from services.chat_ingest.phrases.book import DIRECTORY
from services.kernel.policy import default_policy


def overlaid(directory: Path, text: str, name: str = "intents.toml") -> Phrasebook:
    (directory / name).write_text(text, encoding="utf-8")
    return Phrasebook.load(directory)


def intents(book: Phrasebook, text: str) -> list[str]:
    return [found.intent for found in book.read_buyer(text).intents]


def test_a_shop_adds_removes_and_replaces_phrases_of_an_intent(tmp_path: Path) -> None:
    book = overlaid(
        tmp_path,
        '[cancel]\nadd = ["撤单"]\nremove = ["拍多了"]\n[human]\nphrases = ["叫老板"]\n[quality]\nwhen_asked = true\n',
    )
    assert intents(book, "撤单") == ["cancel"]
    assert intents(book, "拍多了") == []
    assert intents(book, "不要了") == ["cancel"]
    assert intents(book, "叫老板") == ["human"]
    assert intents(book, "转人工") == []
    assert intents(book, "会掉色吗") == ["quality"]
    assert intents(phrasebook(), "拍多了") == ["cancel"]


def test_a_phrase_moves_from_one_intent_to_another(tmp_path: Path) -> None:
    book = overlaid(tmp_path, '[cancel]\nremove = ["申请退款"]\n[return_exchange]\nadd = ["申请退款"]\n')
    assert intents(book, "申请退款") == ["return_exchange"]


FAULTS = {
    "an empty phrase": ('[cancel]\nadd = [" "]', "an empty phrase"),
    "a phrase twice": ('[cancel]\nadd = ["撤单", "撤单"]', "'撤单' stands there twice"),
    "one of ours again": ('[cancel]\nadd = ["不要了"]', "'不要了' stands there twice"),
    "a phrase of another intent": ('[price]\nadd = ["不要了"]', "a phrase means one thing"),
    "capitals": ('[cancel]\nadd = ["取消ORDER"]', "write '取消order'"),
    "full width": ('[cancel]\nadd = ["取消！"]', "write '取消!'"),
    "spaces": ('[cancel]\nadd = ["取 消"]', "write '取消'"),
    "an unknown key": ('[cancel]\nphrase = ["撤单"]', "no such key"),
    "an unknown group": ('[cancle]\nadd = ["撤单"]', "no such group"),
    "no list": ('[cancel]\nadd = "撤单"', "a list is wanted"),
    "no text": ("[cancel]\nadd = [1]", "a phrase is a text"),
    "no table": ("cancel = 1", "a table is wanted"),
    "a setting of another type": ("[quality]\nwhen_asked = 1", "type bool"),
    "removing what is not there": ('[cancel]\nremove = ["撤单"]', "'撤单' is not there"),
    "no TOML": ("[cancel", "TOML"),
}


@pytest.mark.parametrize(("text", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_phrase_file_is_refused_with_its_name_for(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(PhraseError) as refused:
        overlaid(tmp_path, text)
    assert reason in str(refused.value)
    assert "intents.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fault_names_group_and_phrase(tmp_path: Path) -> None:
    with pytest.raises(PhraseError, match=r"intents\.toml: \[cancel\]: '不要了' stands in \[price\] too"):
        overlaid(tmp_path, '[price]\nadd = ["不要了"]')


def test_a_file_of_another_name_is_refused_since_it_would_change_nothing(tmp_path: Path) -> None:
    with pytest.raises(PhraseError, match=r"intent\.toml: no phrase file"):
        overlaid(tmp_path, '[cancel]\nadd = ["撤单"]', "intent.toml")


def test_our_own_files_have_the_groups_of_the_contract_alone(tmp_path: Path) -> None:
    shutil.copytree(DIRECTORY, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "stages.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("[farewell]", "[good_bye]"), encoding="utf-8")
    with pytest.raises(PhraseError, match=r"\[good_bye\]: no such group"):
        Phrasebook.load(directory=tmp_path)


def test_our_own_files_have_all_groups_of_the_contract(tmp_path: Path) -> None:
    shutil.copytree(DIRECTORY, tmp_path, dirs_exist_ok=True)
    (tmp_path / "complaints.toml").write_text("", encoding="utf-8")
    with pytest.raises(PhraseError, match=r"complaints\.toml: \[about_agent\] is missing"):
        Phrasebook.load(directory=tmp_path)


@pytest.mark.parametrize("situation", get_args(Situation))
def test_each_situation_of_bargaining_has_an_answer_with_the_numbers_of_the_policy(situation: Situation) -> None:
    bargaining = replace(default_policy().reception.bargaining, gift_per_units=7, gifts_an_order=8)
    answer = phrasebook().answer(situation, bargaining)
    assert "7件送1" in answer
    assert "最多8份" in answer
    assert "#" not in answer


@pytest.mark.parametrize(
    ("answer", "reason"), [("", "missing"), ("送#几件#", "placeholder"), ("五星好评送红包", "never said")]
)
def test_an_answer_is_checked_when_loaded(tmp_path: Path, answer: str, reason: str) -> None:
    with pytest.raises(PhraseError, match=reason):
        overlaid(tmp_path, f'[campaign]\nanswer = "{answer}"\n', "bargaining.toml")
