-- stg_exceptions: one row a documented reason and resolved topic of a case.
create or replace table stg_exceptions as
select
    c.patient_key,
    e.row_number,
    e.tumour_id,
    e.recorded_date,
    e.reason,
    t.kind as topic_kind,
    t.name as topic_name
from exceptions as e
inner join cases as c on e.patient_id = c.patient_id
inner join topics as t on e.topic = t.topic;
