-- stg_surgeries: one row an operation of a case; definitive where the row says so, or by procedure where it is silent.
-- unclear: what keeps an operation that may be a definitive one from being known as one: a column, null where nothing.
-- Where a patient has no definitive one, a procedure whose report tells what was left in the breast may be it, and so
-- may a re-excision (something was excised before), and an axillary one where no tumour was found in the breast (T0):
-- there may be nothing else to take out.
-- yp_by_prefix: a stage is written as one after treatment, whatever category it names (ypTX).
create or replace table stg_surgeries as
with moved as (
    select
        patient_key,
        row_number,
        max(day) filter (where column_name = 'surgery_date') as surgery_date,
        max(day) filter (where column_name = 'report_date') as report_date
    from case_dates
    where table_name = 'surgeries'
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
),

written as (
    select
        c.patient_key,
        s.row_number,
        coalesce(s.tumour_id, o.tumour_id) as tumour_id,
        coalesce(m.surgery_date, s.surgery_date) as surgery_date,
        coalesce(m.report_date, s.report_date) as report_date,
        s.procedure,
        coalesce(s.definitive, coalesce(s.procedure in ('breast_conserving', 'mastectomy'), false)) as definitive,
        s.definitive is null and s.procedure is null as unspecified,
        s.definitive is null
        and (
            s.procedure = 're_excision'
            or (s.procedure in ('other', 'axillary') and (s.yp_t is not null or s.rcb_class is not null))
            or (s.procedure = 'other' and s.residual_invasive is not null)
            or (s.procedure = 'axillary' and t.clinical_t = '0')
        ) as stands_alone,
        s.yp_t,
        s.yp_n,
        s.rcb_class,
        s.residual_invasive
    from surgeries as s
    inner join cases as c on s.patient_id = c.patient_id
    left join only_tumours as o on c.patient_key = o.patient_key
    left join stg_tumours as t on c.patient_key = t.patient_key and coalesce(s.tumour_id, o.tumour_id) = t.tumour_id
    left join moved as m on c.patient_key = m.patient_key and s.row_number = m.row_number
),

compared as (
    select
        *,
        unspecified
        or (stands_alone and not bool_or(definitive) over (partition by patient_key)) as may_be_definitive
    from written
)

select
    w.patient_key,
    w.row_number,
    w.tumour_id,
    w.surgery_date,
    w.report_date,
    w.procedure,
    w.definitive,
    case
        when not w.definitive and not coalesce(w.may_be_definitive, false) then null
        when w.surgery_date is null then 'surgery_date'
        when w.tumour_id is null then 'tumour_id'
        when w.may_be_definitive then 'procedure'
    end as unclear,
    yt.category as yp_t,
    yn.category as yp_n,
    coalesce(yt.unreadable, false) or coalesce(yn.unreadable, false) as yp_unreadable,
    coalesce(lower(trim(w.yp_t)) like 'y%' or lower(trim(w.yp_n)) like 'y%', false) as yp_by_prefix,
    w.rcb_class,
    w.residual_invasive
from compared as w
left join stage_texts as yt on w.yp_t = yt.text and yt.column_name = 'yp_t'
left join stage_texts as yn on w.yp_n = yn.text and yn.column_name = 'yp_n';
