"""The games, their files and their prompts."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.games.matrix import GAMES, STATES, Game, Move, State, load_game
from core.games.prompts import (
    ASKINGS,
    MIXED_CELLS,
    TEST_WORDS,
    TRAINING_WORDS,
    TURNED_CELLS,
    Framing,
    prompts,
)

POINTS = st.tuples(st.integers(0, 9), st.integers(1, 9))
ANY_GAME = st.builds(Game, name=st.just("any"), cc=POINTS, cd=POINTS, dc=POINTS, dd=POINTS)


def test_the_five_games_pay_what_was_published() -> None:
    paid = {name: [game.cc, game.cd, game.dc, game.dd] for name, game in GAMES.items()}

    assert paid == {
        "prisoners-dilemma": [(3, 3), (0, 4), (4, 0), (1, 1)],
        "stag-hunt": [(4, 4), (0, 3), (3, 0), (1, 1)],
        "chicken": [(2, 2), (1, 4), (4, 1), (0, 0)],
        "bach-or-stravinsky": [(3, 2), (0, 0), (0, 0), (2, 3)],
        "defective-coordination": [(1, 1), (0, 0), (0, 0), (4, 4)],
    }
    assert [game.best for game in GAMES.values()] == [6, 8, 5, 5, 8]


@given(ANY_GAME, st.sampled_from(STATES))
def test_the_other_seat_sees_the_same_game(game: Game, cell: State) -> None:
    assert game.turned.payoffs(*cell.turned) == game.payoffs(*cell)[::-1]
    assert game.turned.turned == game


def test_a_game_of_the_five_comes_by_its_name() -> None:
    assert [load_game(name) for name in GAMES] == list(GAMES.values())


def test_a_game_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "snowdrift.toml"
    path.write_text(
        'schema = 1\ntitle = "Snowdrift"\ncc = [3, 3]\ncd = [2, 5]\ndc = [5, 2]\ndd = [0, 0.5]\n'
    )

    game = load_game(str(path))

    assert (game.name, game.title) == ("snowdrift", "Snowdrift")
    assert game.payoffs(Move.D, Move.C) == (5, 2)
    assert game.dd == (0, 0.5)


CELLS = "cc = [3, 3]\ncd = [0, 4]\ndc = [4, 0]\ndd = [1, 1]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CELLS, "schema: the version is missing"),
        ("schema = 1\ncc = [3, 3]\n", "`cd`"),
        ("schema = 1\n" + CELLS.replace("[0, 4]", "[0]"), "cd: expected `array` of length 2"),
        ("schema = 1\n" + CELLS.replace("[0, 4]", "[-1, 4]"), "cd[0]: expected `float` >= 0"),
        ("schema = 1\n" + CELLS.replace("[0, 4]", '["much", 4]'), "cd[0]: expected `float`"),
        ("schema = 1\n" + CELLS.replace("[0, 4]", "[nan, 4]"), "cd[0]"),
        ("schema = 1\n" + CELLS.replace("[0, 4]", "[inf, 4]"), "cd[0]: expected `float` <= 100"),
        ("schema = 1\ncc = [0, 0]\ncd = [0, 0]\ndc = [0, 0]\ndd = [0, 0]\n", "nothing is at stake"),
        ('schema = 1\nname = " "\n' + CELLS, "the name is empty"),
        (f'schema = 1\ntitle = "{"t" * 81}"\n' + CELLS, "a title at most 80"),
    ],
)
def test_a_file_that_is_no_game_names_the_field(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "game.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(BadInput) as caught:
        load_game(str(path))

    assert str(path) in caught.value.where
    assert told in str(caught.value)


def test_a_game_that_is_not_there_is_refused_with_what_there_is() -> None:
    with pytest.raises(BadInput, match=r"no game named 'go'.*\n.*placet games list"):
        load_game("go")
    with pytest.raises(BadInput, match="there is no such file"):
        load_game("nowhere/go.toml")


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("name", GAMES)
def test_a_game_has_16_prompts_that_all_differ(name: str, framing: Framing) -> None:
    found = prompts(GAMES[name], framing=framing)

    assert len(ASKINGS) == len({prompt.user for prompt in found.values()}) == 16
    assert {asking.state for asking in found} == set(STATES)


@pytest.mark.parametrize("framing", Framing)
def test_a_prompt_tells_the_table_the_last_round_and_both_words_twice(framing: Framing) -> None:
    game = GAMES["chicken"]
    for asking, prompt in prompts(game, framing=framing).items():
        table, question = prompt.user.rsplit("\n", 1)
        lines = table.splitlines()[1:]
        assert len(lines) == 4
        for line, cell in zip(lines, STATES, strict=True):
            words = [TRAINING_WORDS.word(move) for move in cell]
            assert [word for word in re.findall(r"\w+", line) if word in words] == words
            for points in game.payoffs(*cell):
                assert f"{points:g}" in line
        for order in (asking.first, asking.second):
            assert " or ".join(TRAINING_WORDS.word(move) for move in order) in question
        own, theirs = (TRAINING_WORDS.word(move) for move in asking.state)
        assert question.index(f" {own} and the other p") < question.index(f"{theirs}. What")


def test_the_game_is_named_only_where_it_should_be() -> None:
    for framing in Framing:
        texts = [prompt.user for prompt in prompts(GAMES["chicken"], framing=framing).values()]
        assert all(("Chicken" in text) == (framing is Framing.NAMED) for text in texts)


def test_test_prompts_hold_no_word_of_training() -> None:
    for words in (TEST_WORDS, TEST_WORDS.swapped):
        for prompt in prompts(GAMES["stag-hunt"], words).values():
            assert "action1" not in prompt.user and "action2" not in prompt.user
            assert prompt.user.count("action3") >= 6


def test_a_permuted_table_has_the_same_lines_in_another_order() -> None:
    game = GAMES["bach-or-stravinsky"]
    usual = prompts(game)
    for cells in (TURNED_CELLS, MIXED_CELLS):
        for asking, prompt in prompts(game, cells=cells).items():
            assert prompt.user != usual[asking].user
            assert sorted(prompt.user.splitlines()) == sorted(usual[asking].user.splitlines())


def test_swapped_words_mean_the_other_move() -> None:
    game = GAMES["prisoners-dilemma"]
    swapped = prompts(game, TRAINING_WORDS.swapped)
    assert "- you action2, other action1: you 0, other 4" in swapped[ASKINGS[0]].user


def test_the_table_is_what_all_prompts_of_a_game_begin_with() -> None:
    for framing in Framing:
        users = [prompt.user for prompt in prompts(GAMES["chicken"], framing=framing).values()]
        assert len({user.rsplit("\n", 1)[0] for user in users}) == 1


def test_a_game_survives_a_round_trip() -> None:
    for game in GAMES.values():
        assert msgspec.json.decode(msgspec.json.encode(game), type=Game) == game
