-- endocrine_drugs: small, so that the doses are not what is hashed.
create or replace temp table endocrine_drugs as
select ingredient
from ingredients
where is_endocrine;

-- fct_endocrine: one row a recorded row of one endocrine drug that began before the disease came back, or on that day.
-- on_recurrence: it began on that day, for the early disease or for what came back.
-- through_date: the last day that it counts for, inclusive: its recorded end, or so many days where none is recorded.
-- open_course: a course of which only the start is recorded. Ovarian suppression is not endocrine here.
create or replace table fct_endocrine as
select
    d.patient_key,
    d.episode_key,
    d.ingredient,
    d.dose_date as start_date,
    coalesce(d.end_date, d.dose_date + $dispensing_days - 1) as through_date,
    d.end_date is not null as end_recorded,
    d.open_course,
    coalesce(d.intent = 'palliative', false) as palliative,
    d.in_trial,
    d.stop_reason,
    coalesce(d.dose_date = least(f.recurrence_date, s.metastatic_date), false) as on_recurrence
from fct_doses as d
inner join endocrine_drugs as e on d.ingredient = e.ingredient
inner join fct_first_course as f on d.episode_key = f.episode_key
inner join episode_starts as s on d.episode_key = s.episode_key
where
    d.begins
    and d.dose_date <= coalesce(least(f.recurrence_date, s.metastatic_date), date '9999-12-31');
