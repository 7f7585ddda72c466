-- fct_strata: one row a tumour, with what its cases are told apart by in reports.
-- stage: anatomic, I to IV, at diagnosis (pathological where surgery came first), or unknown; a size stands in for a
-- missing T. first_anthracycline_date: of the patient, whatever it was for.
create or replace table fct_strata as
with exposed as (
    select
        s.patient_key,
        min(s.first_dose_date) as first_anthracycline_date
    from fct_drug_spans as s
    inner join ingredients as i on s.ingredient = i.ingredient
    where i.is_anthracycline
    group by s.patient_key
)

select
    t.patient_key,
    t.tumour_id,
    case
        when t.m_status = 'm1' then 'IV'
        when t.m_status <> 'm0' then 'unknown'
        when t.inflammatory or t.t = '4' or t.n in ('2', '3') then 'III'
        when t.n in ('0', '0(i+)', '1mi') and t.over_20_mm is false then 'I'
        when t.n in ('0', '0(i+)') and t.over_20_mm then 'II'
        when t.n in ('1mi', '1') and t.over_50_mm then 'III'
        when t.n in ('1mi', '1') and t.over_50_mm is false then 'II'
        else 'unknown'
    end as stage,
    case g.adjacent_dcis when true then 'present' when false then 'absent' else 'unknown' end as adjacent_dcis,
    h.hr_status as receptors,
    e.first_anthracycline_date
from fct_tumours as t
inner join stg_tumours as g on t.patient_key = g.patient_key and t.tumour_id = g.tumour_id
inner join fct_hormone_receptors as h on t.patient_key = h.patient_key and t.tumour_id = h.tumour_id
left join exposed as e on t.patient_key = e.patient_key;
