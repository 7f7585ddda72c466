-- fct_recurrence_traces: one row a record of a tumour that shows or treats a metastasis before any is on record: a
-- sample or an operation of one. Radiotherapy is none: where it is not linked, nobody may be worse off for it.
create or replace table fct_recurrence_traces as
with traces as (
    select
        patient_key,
        tumour_id,
        'receptor_tests' as table_name,
        row_number,
        'specimen_site' as column_name,
        specimen_date as trace_date
    from stg_receptor_tests
    where specimen_site = 'metastasis'
    union all
    select
        patient_key,
        tumour_id,
        'surgeries' as table_name,
        row_number,
        'procedure' as column_name,
        surgery_date as trace_date
    from stg_surgeries
    where procedure = 'metastasectomy'
)

select
    t.patient_key,
    t.tumour_id,
    f.episode_key,
    t.table_name,
    t.row_number,
    t.column_name,
    t.trace_date
from traces as t
inner join fct_episodes as f on t.patient_key = f.patient_key and t.tumour_id = f.tumour_id
inner join episode_starts as d on f.episode_key = d.episode_key
inner join fct_spread as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
where
    t.trace_date < coalesce(s.metastatic_date, date '9999-12-31')
    and t.trace_date >= coalesce(d.diagnosis_date - $before_diagnosis_days, t.trace_date);
