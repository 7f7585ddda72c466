"""The twin's staging: T, N and M categories as a registry writes them (rules.md 2.5)."""

import re

T_ORDER = ["T0", "Tis", "T1mi", "T1a", "T1b", "T1", "T1c", "T2", "T3", "T4"]


def read_t(text):
    """A T category as one of T_ORDER, or None."""
    found = re.match(r"[cpyra]*T?(X|0|is|1mi|1a|1b|1c|1|2|3|4)", text or "", re.IGNORECASE)
    if not found or found[1].upper() == "X":
        return None
    return {"t" + name[1:].lower(): name for name in T_ORDER}["t" + found[1].lower()]


def read_n(text):
    """An N category as 'N0', 'N0(i+)', 'N1mi', 'N1', 'N2', 'N3', or None."""
    found = re.match(r"[cpyra]*N?(X|0\(i\+\)|0|1mi|1|2|3)", text or "", re.IGNORECASE)
    if not found or found[1].upper() == "X":
        return None
    return "N" + found[1].lower()


def t_of_size(size):
    """The T category of a size in mm; 0 is missing."""
    if not size:
        return None
    for limit, name in ((1, "T1mi"), (5, "T1a"), (10, "T1b"), (20, "T1c"), (50, "T2")):
        if size <= limit:
            return name
    return "T3"


def t_with_size(category, size):
    """The T category; the size where it is missing or a bare T1."""
    if category is None:
        return t_of_size(size)
    if category == "T1" and t_of_size(size):
        return min(t_of_size(size), "T1c", key=T_ORDER.index)
    return category


def is_inflammatory(tumour):
    texts = (tumour.get("clinical_t"), tumour.get("pathological_t"))
    return tumour.get("inflammatory") is True or any("T4d" in (text or "") for text in texts)


def clinical_t(tumour):
    if is_inflammatory(tumour):
        return "T4"
    return t_with_size(read_t(tumour.get("clinical_t")), tumour.get("clinical_size_mm"))


def exactly_20_mm(tumour):
    """A T1c or T2 whose size is written as 20 mm: as small as no T2 is."""
    return tumour.get("clinical_size_mm") == 20 and clinical_t(tumour) in ("T1c", "T2")


def above_20_mm(tumour):
    return at_least(clinical_t(tumour), "T2") and not exactly_20_mm(tumour)


def pathological_t(tumour):
    """The T at surgery, the clinical one where it is missing; then likewise the size."""
    if is_inflammatory(tumour):
        return "T4"
    category = read_t(tumour.get("pathological_t")) or read_t(tumour.get("clinical_t"))
    sizes = (tumour.get("pathological_size_mm"), tumour.get("clinical_size_mm"))
    return t_with_size(category, next((size for size in sizes if size), None))


def pathological_n(tumour):
    """The N category at surgery; the node count stands in for a missing one."""
    own = read_n(tumour.get("pathological_n"))
    nodes = tumour.get("nodes_positive")
    if own or nodes is None:
        return own
    return "N1" if nodes > 0 else "N0"


def stage_by_pathway(tumour, pathway):
    """T and N: pathological where surgery came first, else clinical."""
    n_clinical = read_n(tumour.get("clinical_n"))
    if pathway.startswith("surgery-first"):
        return pathological_t(tumour), pathological_n(tumour) or n_clinical
    return clinical_t(tumour), n_clinical


def at_least(category, limit):
    return category is not None and T_ORDER.index(category) >= T_ORDER.index(limit)


def node_positive(category):
    return category is not None and not category.startswith("N0")


def read_m(tumour):
    found = re.fullmatch(r"[cpyra]*M?(0|1)", tumour.get("clinical_m") or "", re.IGNORECASE)
    return "M" + found[1] if found else None
