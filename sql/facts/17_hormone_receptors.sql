-- fct_hormone_receptors: one row a tumour: ER and PR before systemic treatment.
-- A percentage of an invasive sample of the breast or a node decides; the registry's summary where there is none.
-- hr_status: positive, negative (what is known of the two is negative) or unknown.
create or replace table fct_hormone_receptors as
with sampled as (
    select
        t.patient_key,
        t.tumour_id,
        max(r.er_percent) as er_percent,
        max(r.pr_percent) as pr_percent
    from fct_tumours as t
    inner join stg_receptor_tests as r on t.patient_key = r.patient_key and t.tumour_id = r.tumour_id
    where
        r.invasive
        and r.specimen_site <> 'metastasis'
        and r.specimen_date <= coalesce(t.first_systemic_date, r.specimen_date)
    group by
        t.patient_key,
        t.tumour_id
),

read as (
    select
        t.patient_key,
        t.tumour_id,
        s.er_percent,
        s.pr_percent,
        coalesce(s.er_percent >= $hr_positive_percent, t.er_status = 'positive') as er_positive,
        coalesce(s.pr_percent >= $hr_positive_percent, t.pr_status = 'positive') as pr_positive
    from stg_tumours as t
    left join sampled as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
)

select
    *,
    case
        when er_positive or pr_positive then 'positive'
        when er_positive is null and pr_positive is null then 'unknown'
        else 'negative'
    end as hr_status
from read;
