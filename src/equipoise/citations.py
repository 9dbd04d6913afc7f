"""What decisions rest on: papers by their short names, and our own measurements.

A source is one or more of these, joined with ``"; "``:

- a paper, as ``"Goyal et al. 2017"`` or ``"Goyal et al. 2017 (linear rule)"``;
- ``"docs/log.md: HEADING"``, an entry of the log of findings without its date;
- ``"benchmarks/results/..."``, a file of measured results;
- ``"measured: ..."``, what was found on this machine just now;
- ``"convention: ..."``: no measurement of ours and no paper shows it, others do it so;
- ``"by construction: ..."``: nothing else would work.
"""

from collections.abc import Mapping

PAPERS: Mapping[str, str] = {
    "Alshammari et al. 2022": (
        "S. Alshammari et al., Long-tailed recognition via weight balancing, CVPR 2022, "
        "https://arxiv.org/abs/2203.14197"
    ),
    "Cao et al. 2019": (
        "K. Cao et al., Learning imbalanced datasets with label-distribution-aware margin loss, "
        "NeurIPS 2019, https://arxiv.org/abs/1906.07413"
    ),
    "Chawla et al. 2002": (
        "N. V. Chawla et al., SMOTE: synthetic minority over-sampling technique, Journal of "
        "Artificial Intelligence Research 16, 2002"
    ),
    "Chen and Guestrin 2016": (
        "T. Chen and C. Guestrin, XGBoost: a scalable tree boosting system, KDD 2016, "
        "https://arxiv.org/abs/1603.02754"
    ),
    "Chen et al. 2004": (
        "C. Chen et al., Using random forest to learn imbalanced data, technical report of the "
        "University of California at Berkeley 666, 2004"
    ),
    "Chou et al. 2020": (
        "H.-P. Chou et al., Remix: rebalanced mixup, ECCV 2020 Workshops, "
        "https://arxiv.org/abs/2007.03943"
    ),
    "Cui et al. 2019": (
        "Y. Cui et al., Class-balanced loss based on effective number of samples, CVPR "
        "2019, https://arxiv.org/abs/1901.05555"
    ),
    "Gorishniy et al. 2021": (
        "Y. Gorishniy et al., Revisiting deep learning models for tabular data, NeurIPS 2021, "
        "https://arxiv.org/abs/2106.11959"
    ),
    "Goyal et al. 2017": (
        "P. Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017, "
        "https://arxiv.org/abs/1706.02677"
    ),
    "He et al. 2016": (
        "K. He et al., Deep residual learning for image recognition, CVPR 2016, "
        "https://arxiv.org/abs/1512.03385"
    ),
    "Ioffe and Szegedy 2015": (
        "S. Ioffe and C. Szegedy, Batch normalization: accelerating deep network training by "
        "reducing internal covariate shift, ICML 2015, https://arxiv.org/abs/1502.03167"
    ),
    "Kalamkar et al. 2019": (
        "D. Kalamkar et al., A study of BFLOAT16 for deep learning training, 2019, "
        "https://arxiv.org/abs/1905.12322"
    ),
    "Kang et al. 2020": (
        "B. Kang et al., Decoupling representation and classifier for long-tailed "
        "recognition, ICLR 2020, https://arxiv.org/abs/1910.09217"
    ),
    "Ke et al. 2017": (
        "G. Ke et al., LightGBM: a highly efficient gradient boosting decision tree, Advances in "
        "Neural Information Processing Systems 30, 2017"
    ),
    "Kim et al. 2020": (
        "J. Kim et al., M2m: imbalanced classification via major-to-minor translation, "
        "CVPR 2020, https://arxiv.org/abs/2004.00431"
    ),
    "Kini et al. 2021": (
        "G. R. Kini et al., Label-imbalanced and group-sensitive classification under "
        "overparameterization, NeurIPS 2021, https://arxiv.org/abs/2103.01550"
    ),
    "Lin et al. 2017": (
        "T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, "
        "https://arxiv.org/abs/1708.02002"
    ),
    "Liu et al. 2009": (
        "X.-Y. Liu et al., Exploratory undersampling for class-imbalance learning, IEEE "
        "Transactions on Systems, Man, and Cybernetics, Part B 39, 2009"
    ),
    "Loshchilov and Hutter 2017": (
        "I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, "
        "ICLR 2017, https://arxiv.org/abs/1608.03983"
    ),
    "Malladi et al. 2022": (
        "S. Malladi et al., On the SDEs and scaling rules for adaptive gradient algorithms, "
        "NeurIPS 2022, https://arxiv.org/abs/2205.10287"
    ),
    "Menon et al. 2021": (
        "A. K. Menon et al., Long-tail learning via logit adjustment, ICLR 2021, "
        "https://arxiv.org/abs/2007.07314"
    ),
    "Park et al. 2021": (
        "S. Park et al., Influence-balanced loss for imbalanced visual classification, "
        "ICCV 2021, https://arxiv.org/abs/2110.02444"
    ),
    "Park et al. 2022": (
        "S. Park et al., The majority can help the minority: context-rich minority "
        "oversampling for long-tailed classification, CVPR 2022, "
        "https://arxiv.org/abs/2112.00412"
    ),
    "Polyak and Juditsky 1992": (
        "B. T. Polyak and A. B. Juditsky, Acceleration of stochastic approximation by averaging, "
        "SIAM Journal on Control and Optimization 30, 1992"
    ),
    "Ren et al. 2020": (
        "J. Ren et al., Balanced meta-softmax for long-tailed visual recognition, NeurIPS "
        "2020, https://arxiv.org/abs/2007.10740"
    ),
    "Saerens et al. 2002": (
        "M. Saerens et al., Adjusting the outputs of a classifier to new a priori probabilities: "
        "a simple procedure, Neural Computation 14, 2002"
    ),
    "Shwartz-Ziv et al. 2023": (
        "R. Shwartz-Ziv et al., Simplifying neural network training under class imbalance, "
        "NeurIPS 2023, https://arxiv.org/abs/2312.02517"
    ),
    "Wu and He 2018": (
        "Y. Wu and K. He, Group normalization, ECCV 2018, https://arxiv.org/abs/1803.08494"
    ),
    "Zhong et al. 2021": (
        "Z. Zhong et al., Improving calibration for long-tailed recognition, CVPR 2021, "
        "https://arxiv.org/abs/2104.00466"
    ),
}
"""What the short names of papers stand for."""

ABLATION_YEAST = "benchmarks/results/ablation/yeast.jsonl"
"""Each component alone over one base, on yeast, 10 splits; the log has its summary."""

ABLATION_FASHION = "benchmarks/results/ablation/fashion-mnist.jsonl"
"""The same on Fashion-MNIST at ratio 100, 3 seeds."""

ABLATION_SHUTTLE = "benchmarks/results/ablation/shuttle.jsonl"
"""The same on shuttle, 3 splits."""

COSTS = "docs/log.md: what components cost"
COMPONENTS_ON_YEAST = "docs/log.md: defaults again, and components one by one on yeast"
FIRST_IMAGES = "docs/log.md: first defaults for images"
LONGER_IMAGES = "docs/log.md: longer training of images, and how a search shares its time"
GROUP_NORM_RATE = "docs/log.md: learning rate with group norm"
PRETRAINING = "docs/log.md: self-supervised pre-training against training from scratch as long"
TABLE_EMBEDDINGS = "docs/log.md: tables, numeric embeddings"
TABLE_SCALING = "docs/log.md: tables, scaling of numbers"
TABLES_BESIDE = "docs/log.md: tables beside LightGBM"
TEST_SETS = "docs/log.md: the defaults measured on the test sets"
