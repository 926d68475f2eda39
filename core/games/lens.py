"""A candidate as a move: what moral rewards say of it, where its scenario has a payoff table."""

from core.domain.payoffs import Lens
from core.domain.scenario import Scenario
from core.games.matrix import Game, Move, State
from core.games.rewards import RULES, XI_TRAINING, Reward, reward


def lens(scenario: Scenario, text: str) -> Lens | None:
    """The rewards of the candidate with exactly this text, after Tennant and others 2025.

    `None` where the scenario has no payoffs, or names no move for this text: an edited or a new
    text is another action, and what it pays is not known. ξ is that of training.
    """
    table = scenario.payoffs
    if table is None:  # before a look at the candidates, of which there may be thousands
        return None
    own = next((one for one in scenario.candidates if one.text == text and one.move), None)
    if own is None or not own.move:
        return None
    played = Game(name="payoffs", cc=table.cc, cd=table.cd, dc=table.dc, dd=table.dd)
    move, last = Move(own.move), Move(table.opponent_last)
    # No rule here looks at the own last move, which a scenario does not tell.
    state = State(Move.C, last)
    duty, sums = RULES[Reward.DEONTOLOGICAL], RULES[Reward.UTILITARIAN]
    return Lens(
        move=own.move,
        opponent=table.opponent,
        opponent_last=table.opponent_last,
        deontological=reward(duty, played, state, move, Move.C),
        xi=XI_TRAINING,
        utilitarian=(
            reward(sums, played, state, move, Move.C),
            reward(sums, played, state, move, Move.D),
        ),
        best=played.best,
    )
