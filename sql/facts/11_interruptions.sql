-- fct_interruptions: one row a dated event that can end a recommendation's clock for an episode.
-- is_own: not recorded for a tumour of another episode. What another cancer did excuses here, and accuses nobody.
create or replace table fct_interruptions as
with episodes as (
    select distinct
        patient_key,
        episode_key
    from fct_episodes
)

select
    e.patient_key,
    e.episode_key,
    'death' as kind,
    p.death_date as event_date,
    true as is_own
from episodes as e
inner join stg_patients as p on e.patient_key = p.patient_key
where p.death_date is not null
union all
select
    e.patient_key,
    e.episode_key,
    case
        when v.event in ('local_recurrence', 'regional_recurrence', 'distant_metastasis') then 'recurrence'
        when v.event = 'second_primary' then 'second-primary'
        else v.event
    end as kind,
    v.event_date,
    v.tumour_id is null or coalesce(o.episode_key = e.episode_key, false) as is_own
from episodes as e
inner join stg_events as v on e.patient_key = v.patient_key
left join fct_episodes as o on v.patient_key = o.patient_key and v.tumour_id = o.tumour_id
where
    v.event in (
        'local_recurrence', 'regional_recurrence', 'distant_metastasis', 'progression', 'second_primary', 'pregnancy'
    )
    -- A pregnancy and a metastasis are the patient's, whichever tumour the row names: both change every treatment.
    and (v.tumour_id is null or o.episode_key = e.episode_key or v.event in ('pregnancy', 'distant_metastasis'))
union all
-- An invasive cancer diagnosed in a later episode is a second primary, whether or not an event says so.
select distinct
    e.patient_key,
    e.episode_key,
    'later-primary' as kind,
    o.diagnosis_date as event_date,
    false as is_own
from fct_episodes as e
inner join fct_tumours as o on e.patient_key = o.patient_key and e.episode_key <> o.episode_key
where o.invasive and o.diagnosis_date > e.diagnosis_date;
