-- stg_radiotherapy: one row of radiotherapy of a case. A row without tumour belongs to the patient's only tumour.
create or replace table stg_radiotherapy as
with moved as (
    select
        patient_key,
        row_number,
        max(day) filter (where column_name = 'start_date') as start_date,
        max(day) filter (where column_name = 'end_date') as end_date
    from case_dates
    where table_name = 'radiotherapy'
    group by
        patient_key,
        row_number
),

only_tumours as (
    select
        patient_key,
        tumour_id
    from stg_tumours
    where tumour_count = 1
)

select
    c.patient_key,
    r.row_number,
    coalesce(r.tumour_id, o.tumour_id) as tumour_id,
    coalesce(m.start_date, r.start_date) as start_date,
    coalesce(m.end_date, r.end_date) as end_date,
    r.target
from radiotherapy as r
inner join cases as c on r.patient_id = c.patient_id
left join only_tumours as o on c.patient_key = o.patient_key
left join moved as m on c.patient_key = m.patient_key and r.row_number = m.row_number;
