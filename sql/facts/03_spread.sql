-- fct_spread: one row a tumour: was it metastatic at diagnosis, and when did it recur or spread.
-- m_status: m0, m1 or unknown, m1 for every tumour of an episode as soon as one is.
-- m_certainty low where M was not recorded and T and N were; what M says unreadably is unknown, whatever T and N are.
create or replace table fct_spread as
with spread_events as (
    select
        f.patient_key,
        f.tumour_id,
        min(e.event_date) filter (where e.event = 'distant_metastasis') as distant_date,
        min(e.event_date) filter (
            where e.event in ('local_recurrence', 'regional_recurrence', 'distant_metastasis')
            and e.event_date > f.diagnosis_date
        ) as recurrence_date
    from fct_episodes as f
    inner join stg_events as e on f.patient_key = e.patient_key
    left join fct_episodes as o on e.patient_key = o.patient_key and e.tumour_id = o.tumour_id
    where
        e.event in ('local_recurrence', 'regional_recurrence', 'distant_metastasis')
        and (e.tumour_id is null or o.episode_key = f.episode_key)
    group by
        f.patient_key,
        f.tumour_id
),

staged as (
    select
        t.patient_key,
        t.tumour_id,
        f.episode_key,
        t.diagnosis_date,
        e.distant_date,
        e.recurrence_date,
        case
            when t.clinical_m = '1' then 'm1'
            when date_diff('day', t.diagnosis_date, e.distant_date) <= $distant_at_diagnosis_days then 'm1'
            when t.clinical_m = '0' then 'm0'
            when t.m_unreadable then 'unknown'
            when
                coalesce(t.clinical_t, t.pathological_t) is not null
                and coalesce(t.clinical_n, t.pathological_n) is not null then 'm0'
            else 'unknown'
        end as m_status,
        case when t.clinical_m is null then 'low' else 'stated' end as m_certainty
    from stg_tumours as t
    inner join fct_episodes as f on t.patient_key = f.patient_key and t.tumour_id = f.tumour_id
    left join spread_events as e on t.patient_key = e.patient_key and t.tumour_id = e.tumour_id
),

episodes as (
    select
        episode_key,
        bool_or(m_status = 'm1') as episode_m1
    from staged
    group by episode_key
)

select
    s.patient_key,
    s.tumour_id,
    case when e.episode_m1 then 'm1' else s.m_status end as m_status,
    s.m_certainty,
    s.recurrence_date,
    case
        when e.episode_m1 then coalesce(s.diagnosis_date, date '0001-01-01')
        else s.distant_date
    end as metastatic_date
from staged as s
inner join episodes as e on s.episode_key = e.episode_key;
