-- judgements: one row a rule and subject. Where a patient's imprecise dates were placed in several ways, the verdict
-- stands when first, middle and last day agree, and a failure only when every placement agrees.
create or replace table judgements as
with placements as (
    select
        patient_id,
        count(*) as placement_count
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
            and (p.verdict <> 'non_conformant' or a.failed_count = a.placement_count),
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
    rule_id,
    subject_id,
    patient_id,
    tumour_id,
    decision_date,
    due_date,
    verdict,
    reason,
    missing,
    margin_days,
    evidence
from settled
union all
select
    rule_id,
    subject_id,
    patient_id,
    tumour_id,
    decision_date,
    due_date,
    case when stands then verdict else 'not_evaluable' end as verdict,
    case when stands then reason else 'imprecise-date' end as reason,
    case when stands then missing else fields end as missing,
    case when stands then margin_days end as margin_days,
    evidence
from together;

-- findings: what the contract prints. Who never had HER2-positive invasive disease or a HER2 drug has no row.
create or replace table findings as
select
    j.rule_id,
    j.subject_id,
    j.patient_id,
    j.tumour_id,
    t.site_id,
    j.decision_date,
    j.due_date,
    j.verdict,
    j.reason,
    j.missing,
    cast(j.margin_days as integer) as margin_days,
    j.evidence
from judgements as j
inner join tumours as t on j.tumour_id = t.tumour_id
where not (j.verdict = 'not_applicable' and j.reason in ('in-situ', 'her2-negative', 'no-her2-therapy'));
