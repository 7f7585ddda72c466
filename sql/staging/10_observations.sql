-- stg_observations: one dated row of weight, height or body surface of a case.
create or replace table stg_observations as
with moved as (
    select
        patient_key,
        row_number,
        max(day) as observation_date
    from case_dates
    where table_name = 'observations' and column_name = 'observation_date'
    group by
        patient_key,
        row_number
)

select
    c.patient_key,
    o.row_number,
    coalesce(m.observation_date, o.observation_date) as observation_date,
    o.weight_kg,
    o.height_cm,
    o.bsa_m2
from observations as o
inner join cases as c on o.patient_id = c.patient_id
left join moved as m on c.patient_key = m.patient_key and o.row_number = m.row_number
where coalesce(m.observation_date, o.observation_date) is not null;
