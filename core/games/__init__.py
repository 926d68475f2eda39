"""The moral games laboratory: matrix games, players, intrinsic rewards, regret."""
