-- fct_metastases: one row a dated distant metastasis of an episode and the site that it names, null where none.
create or replace table fct_metastases as
with episodes as (
    select distinct
        patient_key,
        episode_key
    from fct_lines
)

select
    f.patient_key,
    f.episode_key,
    e.event_date,
    e.site
from episodes as f
inner join stg_events as e on f.patient_key = e.patient_key
left join fct_episodes as o on e.patient_key = o.patient_key and e.tumour_id = o.tumour_id
where e.event = 'distant_metastasis' and (e.tumour_id is null or o.episode_key = f.episode_key);

-- fct_spread_of_metastases: one row an episode: its first day with a metastasis in the brain, and its first with one
-- elsewhere or at a site that is not named. The brain alone is affected from the one day until the other.
create or replace table fct_spread_of_metastases as
select
    episode_key,
    min(event_date) filter (where site = 'brain') as first_brain_date,
    min(event_date) filter (where coalesce(site <> 'brain', true)) as first_elsewhere_date
from fct_metastases
group by episode_key;

-- fct_early_changes: one row an episode whose first line was changed for other drugs, or given up after its first day,
-- when a metastasis or recurrence was recorded in its first days: staging, or the progression it was changed for.
create or replace table fct_early_changes as
with changes as (
    select l.episode_key
    from fct_lines as l
    inner join fct_interruptions as i
        on
            l.episode_key = i.episode_key
            and i.kind = 'recurrence'
            and l.start_date < i.event_date
            and l.start_date + $line_join_days > i.event_date
    inner join fct_line_drugs as g on l.episode_key = g.episode_key and l.line_number = g.line_number
    inner join fct_line_days as d
        on g.episode_key = d.episode_key and g.line_number = d.line_number and g.ingredient = d.ingredient
    where
        l.line_number = 1
        and (g.is_her2 or g.is_cytotoxic)
        and d.dose_date <= l.start_date + $line_join_days
    group by
        l.episode_key,
        i.event_date
    having
        bool_or(g.first_date < i.event_date)
        and not bool_or(g.first_date < i.event_date and (d.dose_date >= i.event_date or g.open_course or g.is_regimen))
        and (bool_or(g.first_date >= i.event_date) or min(l.start_date) = max(d.dose_date))
)

select distinct episode_key
from changes;

-- fct_heart_failure: one row a patient with heart failure on record: the day of the first one.
create or replace table fct_heart_failure as
select
    patient_key,
    min(event_date) as first_date
from stg_events
where event = 'heart_failure'
group by patient_key;

-- fct_lung_disease: one row a patient with interstitial lung disease on record: the day of the first one.
create or replace table fct_lung_disease as
select
    patient_key,
    min(event_date) as first_date
from stg_events
where event = 'ild'
group by patient_key;

-- fct_weak_hearts: one row a line before or in whose join window the record speaks against HER2 drugs: heart failure,
-- whenever it was, or a low LVEF no older than the one before treatment may be. weak_date: the first such day.
create or replace table fct_weak_hearts as
with signs as (
    select
        l.episode_key,
        l.line_number,
        h.first_date as seen_date
    from fct_lines as l
    inner join fct_heart_failure as h on l.patient_key = h.patient_key
    where h.first_date <= l.start_date + $line_join_days
    union all
    select
        l.episode_key,
        l.line_number,
        a.assessment_date as seen_date
    from fct_lines as l
    inner join stg_cardiac_assessments as a on l.patient_key = a.patient_key
    where
        a.lvef_percent < $lvef_low
        and a.assessment_date between l.start_date - $lvef_baseline_days and l.start_date + $line_join_days
)

select
    episode_key,
    line_number,
    min(seen_date) as weak_date
from signs
group by
    episode_key,
    line_number;

-- fct_local_metastasis_treatment: one row a patient: the first day of radiotherapy of the brain or of a metastasectomy.
create or replace table fct_local_metastasis_treatment as
with treated as (
    select
        patient_key,
        start_date as treated_date
    from stg_radiotherapy
    where target = 'brain'
    union all
    select
        patient_key,
        surgery_date as treated_date
    from stg_surgeries
    where procedure = 'metastasectomy'
)

select
    patient_key,
    min(treated_date) as first_date
from treated
group by patient_key;

-- fct_disease_free: one row an episode that came back metastatic: calendar months from the last HER2 antibody or T-DM1
-- dose, failing one from the diagnosis, to the metastasis; null where that is not known.
create or replace table fct_disease_free as
with since as (
    select
        episode_key,
        metastatic_date as recurrence_date,
        case
            when clock = 'no-her2' then diagnosis_date
            when clock <> 'unclear' then last_her2_date
        end as since_date
    from fct_metastatic_episodes
    where disease = 'recurrence'
)

select
    episode_key,
    since_date,
    (extract(year from recurrence_date) - extract(year from since_date)) * 12
    + extract(month from recurrence_date) - extract(month from since_date)
    - case when extract(day from recurrence_date) < extract(day from since_date) then 1 else 0 end as months
from since;

-- fct_undated_line_starts: one row an episode, all of whose drugs of the first line's first day stand in a row without
-- its day as well, and which came back metastatic (they may have begun before, for early disease, and run on; what is
-- recorded as palliative did not) or where a metastasis is dated in the line's first weeks (after an earlier dose it
-- would be progression, and no staging).
create or replace table fct_undated_line_starts as
with staged as (
    select distinct f.episode_key
    from first_lines as f
    inner join fct_interruptions as i on f.episode_key = i.episode_key
    where
        i.kind = 'recurrence'
        and i.event_date > f.start_date
        and i.event_date <= f.start_date + $line_join_days
)

select
    f.patient_key,
    f.episode_key
from first_lines as f
inner join metastatic_episodes as m on f.episode_key = m.episode_key
inner join drug_courses as c on f.episode_key = c.episode_key and f.start_date = c.opening_date
inner join metastatic_doses as d
    on c.episode_key = d.episode_key and c.ingredient = d.ingredient and c.opening_date = d.dose_date
left join fct_undated_doses as u on f.patient_key = u.patient_key and c.ingredient = u.ingredient
left join staged as s on f.episode_key = s.episode_key
group by
    f.patient_key,
    f.episode_key
having
    bool_and(u.ingredient is not null)
    and (bool_and(s.episode_key is not null) or not bool_or(m.de_novo or d.palliative));
