"""Plans as PostgreSQL shows them, read into steps and work."""

from __future__ import annotations

from typing import Any

from perfwright.agents.database.postgresql.probes.plans import read_plan


def node(kind: str, *, inner: list[dict[str, Any]] | None = None, **keys: Any) -> dict[str, Any]:
    shown = {key.replace("_", " "): value for key, value in keys.items()}
    return {"Node Type": kind, "Actual Loops": 1, **shown, "Plans": inner or []}


def document(root: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Plan": root, "Execution Time": 2.5}]


SCAN = node(
    "Seq Scan",
    Relation_Name="orders",
    Alias="o",
    Actual_Rows=10,
    Rows_Removed_by_Filter=990,
    Shared_Hit_Blocks=40,
    Shared_Read_Blocks=10,
    Filter="(state = 'open'::text)",
)


def test_work_is_buffers_and_a_share_of_the_rows_that_were_looked_at() -> None:
    plan = read_plan(document(SCAN))
    assert (plan.pages, plan.visits, plan.work) == (50.0, 1000.0, 90.0)


def test_a_scan_with_a_filter_tells_table_rows_and_condition() -> None:
    (step,) = read_plan(document(SCAN)).steps
    assert (step.action, step.table, step.rows, step.removed) == ("scan", "o", 10.0, 990.0)
    assert step.condition == "(state = 'open'::text)"


def test_rows_count_for_each_loop() -> None:
    looked_up = node("Index Scan", Index_Name="i", Alias="t", Index_Cond="(id = x)", Actual_Rows=2)
    looked_up["Actual Loops"] = 30
    assert read_plan(document(looked_up)).visits == 60.0


def test_an_index_without_a_condition_is_read_from_end_to_end() -> None:
    whole = node("Index Scan", Index_Name="i", Alias="t", Actual_Rows=2)
    assert read_plan(document(whole)).steps[0].action == "scan"


def test_a_bitmap_scan_names_the_index_below_it() -> None:
    bitmap = node(
        "Bitmap Heap Scan",
        Alias="t",
        Relation_Name="t",
        inner=[node("Bitmap Index Scan", Index_Name="by_state")],
    )
    assert [s.index for s in read_plan(document(bitmap)).steps] == ["by_state", "by_state"]


def test_a_sort_belongs_to_the_table_below_it() -> None:
    plan = read_plan(document(node("Sort", Sort_Key=["placed"], Actual_Rows=10, inner=[SCAN])))
    assert [(s.action, s.table) for s in plan.steps] == [("sort", "o"), ("scan", "o")]


def test_buffers_of_inner_steps_are_not_counted_twice() -> None:
    outer = node("Sort", Sort_Key=["x"], Shared_Hit_Blocks=52, Shared_Read_Blocks=10, inner=[SCAN])
    plan = read_plan(document(outer))
    assert (plan.pages, plan.steps[0].pages, plan.steps[1].pages) == (62.0, 12.0, 50.0)


def test_estimates_do_not_change_the_signature() -> None:
    one = read_plan(document({**SCAN, "Plan Rows": 5, "Total Cost": 1.0}))
    other = read_plan(document({**SCAN, "Plan Rows": 500, "Total Cost": 9.0}))
    assert one.signature == other.signature


def test_another_index_changes_the_signature() -> None:
    one, other = (
        read_plan(document(node("Index Scan", Alias="t", Index_Name=name))) for name in ("a", "b")
    )
    assert one.signature != other.signature


def test_an_empty_answer_has_no_steps() -> None:
    assert read_plan([]).steps == ()
