-- stg_imaging: one dated image of a case.
create or replace table stg_imaging as
with moved as (
    select
        patient_key,
        row_number,
        max(day) as imaging_date
    from case_dates
    where table_name = 'imaging' and column_name = 'imaging_date'
    group by
        patient_key,
        row_number
)

select
    c.patient_key,
    i.row_number,
    coalesce(m.imaging_date, i.imaging_date) as imaging_date,
    i.modality
from imaging as i
inner join cases as c on i.patient_id = c.patient_id
left join moved as m on c.patient_key = m.patient_key and i.row_number = m.row_number
where coalesce(m.imaging_date, i.imaging_date) is not null;
