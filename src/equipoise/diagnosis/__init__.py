"""Why a run succeeds or fails: what its network makes of examples that it learnt, and of new ones.

`evidence` reads a run and runs its network; each other file is one measure of that, on arrays;
`ledger` says where the points of balanced accuracy go, `advice` what to try, `ordering` which
measure goes with the success of several runs.
"""
