"""Studies: one component of training over imbalance ratios, on any data.

A study draws what the paper draws: how much the values of one component differ at each imbalance
ratio, and whether they differ more where classes are more unequal. Each ratio is a comparison
(`equipoise.comparison`) whose methods are the component's values; `components` says which these
are, `design` lays a study out and runs it, `cells` reads it, `effects` and `places` judge it,
`cautions` says what to mind and `findings` says it.
"""
