-- attrition: for each rule from every patient loaded to the subjects in its population, step by step.
create or replace table attrition as
with subjects as (
    select
        rule_id,
        cast(sum(n) as bigint) as subject_count
    from judgement_counts
    group by rule_id
),

removals as (
    select
        rule_id,
        reason as code,
        cast(sum(n) as bigint) as removed
    from judgement_counts
    where verdict = 'not_applicable'
    group by
        rule_id,
        reason
),

totals as (
    select
        (select count(*) from patients) as patient_count,
        (select count(*) from tumours) as tumour_count
),

steps as (
    select
        s.rule_id,
        s.step,
        s.code,
        s.says,
        coalesce(r.removed, 0) as removed
    from rule_steps as s
    left join removals as r on s.rule_id = r.rule_id and s.code = r.code
),

running as (
    select
        t.*,
        sum(t.removed)
            over (partition by t.rule_id order by t.step rows between unbounded preceding and current row)
            as removed_so_far
    from steps as t
)

select
    r.rule_id,
    0 as step,
    'patients' as code,
    'Patients loaded' as says,
    cast(0 as bigint) as removed,
    t.patient_count as remaining
from subjects as r
cross join totals as t
union all
select
    r.rule_id,
    1 as step,
    'tumours' as code,
    'Tumours loaded' as says,
    cast(0 as bigint) as removed,
    t.tumour_count as remaining
from subjects as r
cross join totals as t
union all
select
    s.rule_id,
    2 as step,
    'subjects' as code,
    'Considered by this rule' as says,
    cast(0 as bigint) as removed,
    s.subject_count as remaining
from subjects as s
union all
select
    r.rule_id,
    r.step,
    r.code,
    r.says,
    r.removed,
    s.subject_count - cast(r.removed_so_far as bigint) as remaining
from running as r
inner join subjects as s on r.rule_id = s.rule_id;
