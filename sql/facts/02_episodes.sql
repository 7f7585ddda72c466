-- fct_episodes: one row a tumour, with its episode: tumours diagnosed close together, one after the other.
create or replace table fct_episodes as
with follows as (
    select
        t.patient_key,
        t.tumour_id,
        t.diagnosis_date,
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
)

select
    n.patient_key,
    n.tumour_id,
    n.tumour_count,
    cast(dense_rank() over (order by n.patient_key, n.episode_number) as integer) as episode_key,
    n.diagnosis_date
from numbered as n;
