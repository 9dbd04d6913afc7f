"""proto"""
import numpy as np

class Plan:
    def __init__(self, scores, positive):
        n = len(scores)
        self.order = np.argsort(-scores, kind="stable")
        s = scores[self.order]; pos = positive[self.order]
        new = np.concatenate([[True], s[1:] != s[:-1]])
        start = np.flatnonzero(new)
        group = np.cumsum(new)-1
        gp = np.unique(group[pos])
        ends = np.concatenate([start[1:], [n]])
        bounds = np.unique(np.concatenate([[0], start[gp], ends[gp]]))
        bounds = bounds[bounds < n]
        self.bounds = bounds
        seg_of_start = np.searchsorted(bounds, start[gp])
        self.seg = seg_of_start     # the segment which holds the group
        self.pos_rows = self.order[pos]
        self.pos_bounds = np.flatnonzero(np.concatenate([[True], np.diff(group[pos])>0])) if pos.any() else np.empty(0,int)

    def __call__(self, weights):
        if not len(self.pos_rows) or len(self.pos_rows)==len(self.order):
            return np.full((2, weights.shape[1]), np.nan)
        total = np.add.reduceat(weights[self.order], self.bounds, axis=0).cumsum(axis=0, dtype=float)
        p = np.add.reduceat(weights[self.pos_rows], self.pos_bounds, axis=0).astype(float)
        cp = p.cumsum(axis=0)
        end = total[self.seg]
        start = np.where(self.seg[:,None]>0, total[self.seg-1], 0)
        ap = (p*cp/np.where(end>0,end,1)).sum(0)/cp[-1]
        neg_end = end-cp; neg_start = start-(cp-p)
        auroc = 1-(p*(neg_end+neg_start)).sum(0)/2/cp[-1]/(total[-1]-cp[-1])
        return auroc, ap
