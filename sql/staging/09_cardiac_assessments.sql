-- stg_cardiac_assessments: one dated measurement of the heart of a case.
-- span_days: days between the first and the last day that its date can stand for; 0 where it is exact, or where every
-- date of the patient moves with it.
-- lvef_percent: a share of one is taken as such (0.62 is 62 %), since no heart lives at one per cent; 0 is no number.
create or replace table stg_cardiac_assessments as
with moved as (
    select
        patient_key,
        row_number,
        max(day) as assessment_date
    from case_dates
    where table_name = 'cardiac_assessments' and column_name = 'assessment_date'
    group by
        patient_key,
        row_number
),

spans as (
    select
        row_number,
        date_diff('day', first_day, last_day) as span_days
    from imprecise_dates
    where table_name = 'cardiac_assessments' and column_name = 'assessment_date' and unit is null
)

select
    c.patient_key,
    a.row_number,
    coalesce(m.assessment_date, a.assessment_date) as assessment_date,
    a.method,
    case
        when a.lvef_percent <= 1 then round(nullif(a.lvef_percent, 0) * 100, 6)
        else a.lvef_percent
    end as lvef_percent,
    a.result,
    coalesce(s.span_days, 0) as span_days
from cardiac_assessments as a
inner join cases as c on a.patient_id = c.patient_id
left join moved as m on c.patient_key = m.patient_key and a.row_number = m.row_number
left join spans as s on a.row_number = s.row_number
where coalesce(m.assessment_date, a.assessment_date) is not null;
