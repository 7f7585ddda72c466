-- fct_episodes: one row a tumour, with its episode: tumours diagnosed close together, one after the other.
-- ever_positive: some invasive sample, or failing any the registry's summary, was HER2-positive at any time.
create or replace table fct_episodes as
with follows as (
    select
        t.patient_key,
        t.tumour_id,
        t.diagnosis_date,
        t.her2_summary,
        t.tumour_count,
        case
            when date_diff(
                'day',
                lag(t.diagnosis_date)
                    over (partition by t.patient_key order by t.diagnosis_date nulls last, t.tumour_id),
                t.diagnosis_date
            ) > $synchronous_days then 1
            else 0
        end as opens
    from stg_tumours as t
),

numbered as (
    select
        f.*,
        sum(f.opens) over (
            partition by f.patient_key
            order by f.diagnosis_date nulls last, f.tumour_id
            rows between unbounded preceding and current row
        ) as episode_number
    from follows as f
),

evidence as (
    select
        patient_key,
        tumour_id,
        bool_or(result = 'positive') as any_positive
    from fct_specimens
    where result is not null and specimen_site <> 'metastasis'
    group by
        patient_key,
        tumour_id
)

select
    n.patient_key,
    n.tumour_id,
    n.tumour_count,
    cast(dense_rank() over (order by n.patient_key, n.episode_number) as integer) as episode_key,
    n.diagnosis_date,
    coalesce(e.any_positive, n.her2_summary = 'positive', false) as ever_positive
from numbered as n
left join evidence as e on n.patient_key = e.patient_key and n.tumour_id = e.tumour_id;

-- fct_episode_spans: the days on which a dose without tumour counts for an episode, both inclusive.
create or replace table fct_episode_spans as
with episodes as (
    select
        patient_key,
        episode_key,
        min(diagnosis_date) as diagnosis_date,
        bool_or(ever_positive) as ever_positive
    from fct_episodes
    group by
        patient_key,
        episode_key
),

candidates as (
    select
        e.*,
        bool_or(e.ever_positive) over (partition by e.patient_key) as patient_positive
    from episodes as e
),

ordered as (
    select
        patient_key,
        episode_key,
        diagnosis_date,
        lag(episode_key) over (partition by patient_key order by diagnosis_date nulls last, episode_key) as earlier,
        lead(diagnosis_date)
            over (partition by patient_key order by diagnosis_date nulls last, episode_key)
            as next_date
    from candidates
    where ever_positive or not patient_positive
)

select
    patient_key,
    episode_key,
    case when earlier is null then date '0001-01-01' else diagnosis_date end as from_date,
    coalesce(cast(next_date - interval '1' day as date), date '9999-12-31') as through_date
from ordered;
