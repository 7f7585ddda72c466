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
