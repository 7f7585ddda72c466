-- placed_verdicts: what a rule says of every subject and placement of its imprecise dates, concerned or not.
create or replace view placed_verdicts as
select *
from placed_judgements
union all
select
    e.rule_id,
    e.tumour_id || coalesce('/' || e.subject_part, '') as subject_id,
    e.patient_key,
    p.patient_id,
    e.tumour_id,
    e.site_id,
    e.decision_date,
    cast(null as date) as due_date,
    'not_applicable' as verdict,
    e.reason,
    cast(null as varchar[]) as missing,
    cast(null as integer) as margin_days,
    '{}' as evidence
from placed_exclusions as e
inner join stg_patients as p on e.patient_key = p.patient_key;

-- settled_judgements: one row a rule and subject of a patient with imprecise dates. The verdict stands when first,
-- middle and last day agree, and a failure only when every placement agrees. What is a subject under none of the three
-- is none.
create or replace table settled_judgements as
with placements as (
    select
        patient_id,
        count(*) as placement_count,
        bool_and(may_fail) as may_fail
    from cases
    group by patient_id
    having count(*) > 1
),

-- By patient_key: the few cases that several placements stand for are then looked for where the judgements are kept.
several as (
    select
        c.patient_key,
        p.placement_count,
        p.may_fail,
        c.placement in ('first', 'middle', 'last') as together,
        case c.placement when 'middle' then 0 when 'first' then 1 when 'last' then 1 else 2 end as place
    from placements as p
    inner join cases as c on p.patient_id = c.patient_id
),

placed as (
    select
        j.*,
        s.placement_count,
        s.may_fail,
        s.together,
        row_number() over (
            partition by j.rule_id, j.subject_id, j.patient_id
            order by s.place, j.patient_key
        ) as position
    from placed_verdicts as j
    inner join several as s on j.patient_key = s.patient_key
),

agreement as (
    select
        rule_id,
        subject_id,
        patient_id,
        count(*) filter (where together) as together_count,
        count(distinct verdict) filter (where together) as verdict_count,
        min(verdict) filter (where together) as verdict,
        count(*) filter (where verdict = 'non_conformant') as failed_count
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

weighed as (
    select
        p.*,
        u.fields,
        coalesce(
            a.verdict_count = 1
            and (a.together_count = 3 or a.verdict = 'not_applicable')
            and (p.verdict <> 'non_conformant' or (a.failed_count = p.placement_count and p.may_fail)),
            false
        ) as stands
    from placed as p
    inner join agreement as a
        on
            p.rule_id = a.rule_id
            and p.subject_id = a.subject_id
            and p.patient_id = a.patient_id
    left join uncertain as u on p.patient_id = u.patient_id
    where p.position = 1 and a.together_count > 0
)

select
    rule_id,
    subject_id,
    patient_key,
    patient_id,
    tumour_id,
    site_id,
    decision_date,
    due_date,
    case when stands then verdict else 'not_evaluable' end as verdict,
    case when stands then reason else 'imprecise-date' end as reason,
    case when stands then missing else fields end as missing,
    case when stands then margin_days end as margin_days,
    evidence
from weighed;

-- judgements: one row a rule and subject. A view, because taking the placements out of the table would write it anew.
create or replace view judgements as
with several_placements as (
    select distinct patient_id
    from cases
    where placement <> 'middle'
),

placed_severally as (
    select c.patient_key
    from several_placements as s
    inner join cases as c on s.patient_id = c.patient_id
)

select j.*
from placed_verdicts as j
left join placed_severally as s on j.patient_key = s.patient_key
where s.patient_key is null
union all
select *
from settled_judgements;
