-- fct_first_course: one row an episode: its diagnosis (or by when it was known), the day on which the disease came
-- back, and the day on which its first course of treatment ends because it came back or another primary came up
-- (null where neither did).
create or replace table fct_first_course as
select
    s.patient_key,
    s.episode_key,
    coalesce(s.diagnosis_date, s.known_date) as diagnosis_date,
    min(i.event_date) filter (where i.kind = 'recurrence') as recurrence_date,
    min(i.event_date) as end_date
from episode_starts as s
left join fct_interruptions as i
    on
        s.episode_key = i.episode_key
        and i.kind in ('recurrence', 'second-primary')
        and i.event_date > coalesce(s.diagnosis_date, date '0001-01-01')
group by
    s.patient_key,
    s.episode_key,
    s.diagnosis_date,
    s.known_date;

-- fct_first_course_chemotherapy: one row a cytotoxic day of one drug in the first course of an episode: begun in time,
-- and without a long pause since. Methotrexate is of CMF, or treats a rheumatic disease.
create or replace table fct_first_course_chemotherapy as
with cmf_days as (
    select distinct
        m.episode_key,
        m.dose_date
    from fct_cytotoxic_days as m
    inner join fct_cytotoxic_days as c on m.episode_key = c.episode_key
    where
        m.ingredient = 'methotrexate'
        and m.setting = 'curative'
        and c.ingredient in ('cyclophosphamide', 'fluorouracil')
        and c.setting = 'curative'
        and abs(date_diff('day', m.dose_date, c.dose_date)) <= $cmf_days
),

cytotoxic_days as (
    select c.*
    from fct_cytotoxic_days as c
    left join cmf_days as m on c.episode_key = m.episode_key and c.dose_date = m.dose_date
    where c.setting = 'curative' and (c.ingredient <> 'methotrexate' or m.episode_key is not null)
),

given as (
    select
        c.episode_key,
        c.dose_date,
        f.diagnosis_date,
        date_diff(
            'day', lag(c.dose_date) over (partition by c.episode_key order by c.dose_date), c.dose_date
        ) as gap_days
    from cytotoxic_days as c
    inner join fct_first_course as f on c.episode_key = f.episode_key
    where c.dose_date < coalesce(f.end_date, date '9999-12-31')
),

-- The first of them ends with the day before treatment goes on after a long pause, or the disease comes back.
begun as (
    select
        episode_key,
        coalesce(
            min(case when gap_days > $first_course_gap_days then dose_date end) - 1, max(dose_date)
        ) as through_date
    from given
    group by
        episode_key,
        diagnosis_date
    having min(dose_date) <= coalesce(diagnosis_date + $first_course_start_days, min(dose_date))
)

select
    c.patient_key,
    c.episode_key,
    c.ingredient,
    c.dose_date,
    c.exposed_through,
    c.open_course,
    c.is_regimen,
    c.in_sequence,
    c.in_trial
from cytotoxic_days as c
inner join begun as b on c.episode_key = b.episode_key
where c.dose_date <= b.through_date;
