"""What is hidden stays hidden: attacked by listing every table that fits what is shown."""

from itertools import product

import pytest
from attack import solved
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attrition import POPULATION
from audit.disclosure import SPREAD, Cell, Mark, Sum, is_small, protect, single
from audit.shared_steps import Way, protected_together

SMALL = Cell(None, Mark.SMALL)
COVER = Cell(None, Mark.COVER)


def two_way(rows):
    """A table with its margins as counts and sums, as a page prints it."""
    height, width = len(rows), len(rows[0])
    counts = {(r, c): rows[r][c] for r in range(height) for c in range(width)}
    counts |= {(r, "all"): sum(rows[r]) for r in range(height)}
    counts |= {("all", c): sum(row[c] for row in rows) for c in range(width)}
    counts["all", "all"] = sum(map(sum, rows))
    sums = [
        Sum(tuple((r, c) for c in range(width)), (r, "all")) for r in [*range(height), "all"]
    ] + [Sum(tuple((r, c) for r in range(height)), ("all", c)) for c in [*range(width), "all"]]
    return counts, sums


def readings(cells, counts, rows, threshold):
    """Every value each small cell takes in a table that fits the marks, by brute force."""
    height, width = len(rows), len(rows[0])
    most = counts["all", "all"] + 2 * SPREAD
    choices = []
    for r, c in product(range(height), range(width)):
        cell = cells[r, c]
        if cell.mark is Mark.SHOWN:
            choices.append([cell.value])
        elif cell.mark is Mark.SMALL:
            choices.append(range(1, threshold))
        else:
            low = max(1, rows[r][c] - 2 * SPREAD)
            choices.append(range(low, min(most, rows[r][c] + 2 * SPREAD) + 1))
    found = {key: set() for key in cells if is_small(counts[key], threshold)}
    for values in product(*choices):
        table, _ = two_way([list(values[r * width : (r + 1) * width]) for r in range(height)])
        if all(fits(cells[key], table[key], threshold) for key in cells):
            for key, values_found in found.items():
                values_found.add(table[key])
    return found


def fits(cell, value, threshold):
    if cell.mark is Mark.SHOWN:
        return value == cell.value
    return is_small(value, threshold) if cell.mark is Mark.SMALL else value >= 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0, 0, 1, 2, 3, 4, 5, 7, 9]), min_size=2, max_size=2),
        min_size=2,
        max_size=3,
    )
)
def test_no_small_count_can_be_recovered_from_a_table_with_margins(rows):
    threshold = 5
    counts, sums = two_way(rows)
    cells = protect(counts, sums, threshold)
    everything_hidden = all(cells[key].mark is not Mark.SHOWN or not counts[key] for key in counts)
    for key, values in readings(cells, counts, rows, threshold).items():
        assert everything_hidden or max(values) - min(values) >= SPREAD, (key, values)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=60), min_size=1, max_size=8))
def test_small_counts_never_show_and_zeros_always_do(values):
    counts = {**dict(enumerate(values)), "all": sum(values)}
    cells = protect(counts, [Sum(tuple(range(len(values))), "all")])
    for key, count in counts.items():
        if is_small(count):
            assert cells[key] in (SMALL, COVER)
        elif not count:
            assert cells[key] == Cell(0)
        else:
            assert cells[key] in (Cell(count), COVER)


def test_a_lone_small_count_takes_the_cheapest_cover():
    counts = {"met": 80, "review": 4, "excepted": 12, "all": 96}
    cells = protect(counts, [Sum(("met", "review", "excepted"), "all")])
    assert cells == {
        "met": Cell(80),
        "review": SMALL,
        "excepted": COVER,
        "all": Cell(96),
    }


def test_weights_decide_which_count_gives_cover():
    counts = {"met": 80, "review": 4, "excepted": 12, "all": 96}
    cells = protect(counts, [Sum(("met", "review", "excepted"), "all")], weights={"excepted": 99})
    assert cells["met"] == COVER
    assert cells["excepted"] == Cell(12)


def test_two_small_counts_that_their_sum_pins_down_get_cover():
    counts = {"a": 9, "b": 9, "c": 30, "all": 48}
    cells = protect(counts, [Sum(("a", "b", "c"), "all")])
    assert cells["c"] == COVER


def test_two_small_counts_with_room_need_no_cover():
    counts = {"a": 4, "b": 7, "c": 30, "all": 41}
    assert protect(counts, [Sum(("a", "b", "c"), "all")])["c"] == Cell(30)


def test_a_total_known_from_elsewhere_needs_a_second_hidden_part():
    cells = protect({"a": 3, "b": 30, "c": 40}, [Sum(("a", "b", "c"))])
    assert cells == {"a": SMALL, "b": COVER, "c": Cell(40)}


def test_cover_goes_on_along_a_chain_of_differences():
    """Attrition: what a step removes follows from the numbers before and after it."""
    counts = {"r0": 500, "d1": 4, "r1": 496, "d2": 60, "r2": 436}
    cells = protect(counts, [Sum(("d1", "r1"), "r0"), Sum(("d2", "r2"), "r1")])
    assert cells["r1"] == COVER
    assert cells["r0"] == Cell(500)
    assert COVER in (cells["d2"], cells["r2"])


def test_a_bridge_between_two_columns_is_seen():
    """Two hidden counts a line don't do: col 1 + col 2 - row 1 - row 2 gives one away."""
    rows = [[3, 4, 50, 60], [4, 3, 70, 80], [6, 40, 90, 2], [20, 30, 10, 5]]
    counts, sums = two_way(rows)
    lines_of_two = {key: SMALL if is_small(n) else Cell(n) for key, n in counts.items()}
    assert (2, 0) in solved(lines_of_two, sums)
    assert not solved(protect(counts, sums), sums) & {k for k, n in counts.items() if is_small(n)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([0, 1, 2, 5, 8, 9, 12, 40, 300]), min_size=5, max_size=5),
        min_size=3,
        max_size=6,
    )
)
def test_the_sums_of_a_larger_table_give_no_small_count_away(rows):
    counts, sums = two_way(rows)
    cells = protect(counts, sums)
    given_away = solved(cells, sums)
    assert not [key for key in given_away if cells[key].mark is Mark.SMALL]


def test_threshold_is_a_parameter():
    assert protect({"a": 4, "all": 4}, [Sum(("a",), "all")], threshold=1)["a"] == Cell(4)
    assert single(4, threshold=4) == Cell(4)
    assert single(3, threshold=4) == SMALL
    assert single(0) == Cell(0)


def test_sums_that_do_not_hold_are_refused():
    with pytest.raises(ValueError, match="do not add up"):
        protect({"a": 1, "all": 4}, [Sum(("a",), "all")])
    with pytest.raises(ValueError, match="no count"):
        protect({"a": 1}, [Sum(("a", "b"))])


def test_a_national_table_is_protected_in_reasonable_time():
    rows = [[(7 * r + 13 * c) % 53 * (1 + c % 3) for c in range(6)] for r in range(120)]
    counts, sums = two_way(rows)
    cells = protect(counts, sums)
    assert all(cells[key].value is None for key, n in counts.items() if is_small(n))


def test_two_counts_together_give_what_neither_can_alone():
    """One may be three, as two of the twos may be one: the total need not be hidden for it."""
    counts = {"one": 1, **{f"two {number}": 2 for number in range(5)}, "total": 11}
    parts = tuple(counts)[:-1]
    cells = protect(counts, [Sum(parts, "total")], 10)
    assert cells["total"].value == 11
    assert {cells[part].mark for part in parts} == {Mark.SMALL}


def way(**removed):
    """A rule's steps out of 3,000 cases, and its population."""
    steps = [("step", name) for name in removed]
    counts = {("step", "subjects"): 3000} | dict(zip(steps, removed.values(), strict=True))
    counts[POPULATION] = 3000 - sum(removed.values())
    sums = [Sum((*steps, POPULATION), ("step", "subjects"))]
    return Way(
        [("step", "subjects"), *steps],
        counts,
        lambda threshold, hidden: protect(counts, sums, threshold, {POPULATION: 9.0}, hidden),
    )


def test_a_small_population_does_not_follow_from_another_rule_with_the_same_steps():
    """Both rules leave 2,397 after the steps that they share, and the second then takes out 2,380.

    The second rule's 17 followed from the first rule's population.
    """
    cells = protected_together(
        {"first": way(negative=600, unknown=3), "second": way(negative=600, unknown=3, none=2380)},
        20,
    )
    assert cells["first"][POPULATION] == Cell(2397)
    assert cells["second"][POPULATION] == SMALL
    assert cells["second"]["step", "none"] == COVER
