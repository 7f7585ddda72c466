-- stg_events: one dated event of a case; tumour_id missing means that it counts for every tumour of the patient.
create or replace table stg_events as
with moved as (
    select
        patient_key,
        row_number,
        max(day) as event_date
    from case_dates
    where table_name = 'events' and column_name = 'event_date'
    group by
        patient_key,
        row_number
)

select
    c.patient_key,
    e.row_number,
    e.tumour_id,
    coalesce(m.event_date, e.event_date) as event_date,
    e.event,
    e.grade,
    e.site,
    e.action
from events as e
inner join cases as c on e.patient_id = c.patient_id
left join moved as m on c.patient_key = m.patient_key and e.row_number = m.row_number
where coalesce(m.event_date, e.event_date) is not null;
