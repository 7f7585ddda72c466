-- judgements: one row a rule and subject. Where a patient's imprecise dates were placed in several ways, the verdict
-- stands when first, middle and last day agree, and a failure only when every placement agrees.
create or replace table judgements as
with placements as (
    select
        patient_id,
        count(*) as placement_count,
        bool_and(may_fail) as may_fail
    from cases
    group by patient_id
    having count(*) > 1
),

settled as (
    select
        v.*,
        c.patient_id
    from verdicts as v
    inner join cases as c on v.patient_key = c.patient_key
    left join placements as p on c.patient_id = p.patient_id
    where p.patient_id is null
),

placed as (
    select
        v.*,
        c.patient_id,
        p.placement_count,
        p.may_fail,
        c.placement in ('first', 'middle', 'last') as together,
        row_number() over (
            partition by v.rule_id, v.subject_id, c.patient_id
            order by case when c.placement = 'middle' then 0 else 1 end, c.patient_key
        ) as position
    from verdicts as v
    inner join cases as c on v.patient_key = c.patient_key
    inner join placements as p on c.patient_id = p.patient_id
),

agreement as (
    select
        rule_id,
        subject_id,
        patient_id,
        count(*) filter (where together) as together_count,
        count(distinct verdict) filter (where together) as verdict_count,
        min(verdict) filter (where together) as verdict,
        count(*) filter (where verdict = 'non_conformant') as failed_count,
        min(placement_count) as placement_count
    from placed
    group by
        rule_id,
        subject_id,
        patient_id
),

uncertain as (
    select
        patient_id,
        list_sort(list(distinct table_name || '.' || column_name)) as fields
    from imprecise_dates
    where column_name <> 'birth_date' and patient_id is not null
    group by patient_id
),

together as (
    select
        p.*,
        u.fields,
        coalesce(
            (a.verdict_count = 1 or a.together_count = 0)
            and (a.together_count in (0, 3) or a.verdict = 'not_applicable')
            and (p.verdict <> 'non_conformant' or (a.failed_count = a.placement_count and p.may_fail)),
            false
        ) as stands
    from placed as p
    inner join agreement as a
        on
            p.rule_id = a.rule_id
            and p.subject_id = a.subject_id
            and p.patient_id = a.patient_id
    left join uncertain as u on p.patient_id = u.patient_id
    where p.position = 1
)

select
    s.rule_id,
    s.subject_id,
    s.patient_id,
    s.tumour_id,
    t.site_id,
    s.decision_date,
    s.due_date,
    s.verdict,
    s.reason,
    s.missing,
    cast(s.margin_days as integer) as margin_days,
    s.evidence
from settled as s
inner join stg_tumours as t on s.patient_key = t.patient_key and s.tumour_id = t.tumour_id
union all
select
    g.rule_id,
    g.subject_id,
    g.patient_id,
    g.tumour_id,
    t.site_id,
    g.decision_date,
    g.due_date,
    case when g.stands then g.verdict else 'not_evaluable' end as verdict,
    case when g.stands then g.reason else 'imprecise-date' end as reason,
    case when g.stands then g.missing else g.fields end as missing,
    case when g.stands then cast(g.margin_days as integer) end as margin_days,
    g.evidence
from together as g
inner join stg_tumours as t on g.patient_key = t.patient_key and g.tumour_id = t.tumour_id;

-- findings: what the contract prints. Who never had HER2-positive invasive disease or a HER2 drug has no row.
create or replace view findings as
select *
from judgements
where not (verdict = 'not_applicable' and reason in ('in-situ', 'her2-negative', 'no-her2-therapy'));
