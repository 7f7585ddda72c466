-- fct_recurrence_traces: one row an episode and a record that shows or treats a metastasis before any of it is known: a
-- sample or an operation of one, whichever of the patient's tumours it names. Radiotherapy is none: where it is not
-- linked, nobody may be worse off for it.
create or replace table fct_recurrence_traces as
with traces as (
    select
        patient_key,
        'receptor_tests' as table_name,
        row_number,
        'specimen_site' as column_name,
        specimen_date as trace_date
    from stg_receptor_tests
    where specimen_site = 'metastasis'
    union all
    select
        patient_key,
        'surgeries' as table_name,
        row_number,
        'procedure' as column_name,
        surgery_date as trace_date
    from stg_surgeries
    where procedure = 'metastasectomy'
)

select
    t.patient_key,
    e.episode_key,
    t.table_name,
    t.row_number,
    t.column_name,
    t.trace_date
from traces as t
inner join episode_starts as e on t.patient_key = e.patient_key
where
    t.trace_date < coalesce(e.metastatic_date, date '9999-12-31')
    and t.trace_date >= coalesce(e.diagnosis_date - $before_diagnosis_days, t.trace_date);
