-- fct_node_samples: one row a tumour with a HER2-tested invasive node sample: the day of the first one.
create or replace table fct_node_samples as
select
    patient_key,
    tumour_id,
    min(specimen_date) as first_node_sample_date
from fct_specimens
where specimen_site = 'node' and result is not null
group by
    patient_key,
    tumour_id;

-- fct_episode_responses: one row an episode: was invasive disease left in any of its operated tumours.
create or replace table fct_episode_responses as
select
    e.episode_key,
    bool_or(s.response = 'residual') as any_residual
from fct_episodes as e
inner join fct_surgeries as s on e.patient_key = s.patient_key and e.tumour_id = s.tumour_id
group by e.episode_key;

-- fct_documented_trials: one row an episode and topic, as the vocabulary spells it, of which a trial is documented.
create or replace table fct_documented_trials as
with episodes as (
    select distinct
        patient_key,
        episode_key
    from fct_episodes
)

select distinct
    e.episode_key,
    x.topic_name
from episodes as e
inner join stg_exceptions as x on e.patient_key = x.patient_key
left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
where x.reason = 'trial' and (x.tumour_id is null or o.episode_key = e.episode_key);
