"""Names beside points: none lies on another, on a point, or outside the chart."""

from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from audit.labels import AROUND, LETTER, WIDEST, Point, labels

WIDTH, HEIGHT = 640, 300


def overlap(one, other):
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def test_a_name_stands_on_the_right_at_the_height_of_its_point():
    (label,) = labels([("Alder", Point(100, 50))], [Point(100, 50)], WIDTH, HEIGHT)
    assert not label.before and label.y == 50 and label.x > 100 + AROUND


def test_a_name_without_room_on_the_right_stands_on_the_left():
    (label,) = labels([("Alder", Point(630, 50))], [Point(630, 50)], WIDTH, HEIGHT)
    assert label.before and label.y == 50 and label.x < 630 - AROUND


def test_a_long_name_is_taken_to_be_cut():
    (label,) = labels([("A" * 200, Point(100, 50))], [], WIDTH, HEIGHT)
    left, right, _, _ = label.box
    assert right - left == WIDEST < 200 * LETTER


def test_names_of_points_close_together_make_room_for_each_other():
    named = [(name, Point(300 + n, 150 + 2 * n)) for n, name in enumerate("ABCDE" * 1)]
    boxes = [one.box for one in labels(named, [point for _, point in named], WIDTH, HEIGHT)]
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]


@given(st.lists(st.tuples(st.integers(0, WIDTH), st.integers(0, HEIGHT)), min_size=1, max_size=6))
@example([(0, 1), (0, 46), (0, 0)])
def test_few_names_lie_on_nothing_and_inside(places):
    named = [(f"Hospital {n}", Point(*place)) for n, place in enumerate(places)]
    boxes = [one.box for one in labels(named, [point for _, point in named], WIDTH, HEIGHT)]
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    assert all(
        left >= 0 and right <= WIDTH and top >= 0 and bottom <= HEIGHT
        for left, right, top, bottom in boxes
    )
