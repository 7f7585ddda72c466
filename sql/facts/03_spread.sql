-- fct_spread: one row a tumour: was it metastatic at diagnosis, and when did it recur or spread.
-- m_status: m0, m1 or unknown, m1 for every tumour of an episode as soon as one is.
-- m_certainty low where M was not recorded and T and N were; what M says unreadably is unknown, whatever T and N are.
-- known_date: where the day of diagnosis is missing, that of the first sample of the primary or operation instead.
-- What came back did so afterwards, and a metastasis close to that day may have been there at diagnosis.
create or replace table fct_spread as
with first_records as (
    select
        t.patient_key,
        t.tumour_id,
        s.surgery_date as record_date
    from stg_tumours as t
    inner join stg_surgeries as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    where t.diagnosis_date is null
    union all
    select
        t.patient_key,
        t.tumour_id,
        s.specimen_date as record_date
    from stg_tumours as t
    inner join fct_specimens as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    where t.diagnosis_date is null and s.specimen_site = 'primary'
),

known_by as (
    select
        patient_key,
        tumour_id,
        min(record_date) as known_date
    from first_records
    group by
        patient_key,
        tumour_id
),

spread_events as (
    select
        f.patient_key,
        f.tumour_id,
        min(e.event_date) filter (where e.event = 'distant_metastasis') as distant_date,
        min(e.event_date) filter (
            where e.event in ('local_recurrence', 'regional_recurrence', 'distant_metastasis')
            and e.event_date > coalesce(f.diagnosis_date, k.known_date)
        ) as recurrence_date
    from fct_episodes as f
    inner join stg_events as e on f.patient_key = e.patient_key
    left join known_by as k on f.patient_key = k.patient_key and f.tumour_id = k.tumour_id
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
        k.known_date,
        e.distant_date,
        e.recurrence_date,
        case
            when t.clinical_m = '1' then 'm1'
            when date_diff('day', t.diagnosis_date, e.distant_date) <= $distant_at_diagnosis_days then 'm1'
            when date_diff('day', k.known_date, e.distant_date) <= $distant_at_diagnosis_days then 'unknown'
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
    left join known_by as k on t.patient_key = k.patient_key and t.tumour_id = k.tumour_id
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
    s.known_date,
    s.recurrence_date,
    case
        when e.episode_m1 then coalesce(s.diagnosis_date, date '0001-01-01')
        else s.distant_date
    end as metastatic_date
from staged as s
inner join episodes as e on s.episode_key = e.episode_key;

-- fct_episode_spans: the days on which a dose without tumour counts for an episode, both inclusive.
-- Where no episode was positive at any time, all share the doses.
-- ever_positive: some invasive sample, or failing any the registry's summary, was HER2-positive. A metastasis
-- speaks for a tumour that was metastatic at diagnosis.
create or replace table fct_episode_spans as
with evidence as (
    select
        s.patient_key,
        s.tumour_id,
        bool_or(s.result = 'positive') as any_positive
    from fct_specimens as s
    inner join fct_spread as p on s.patient_key = p.patient_key and s.tumour_id = p.tumour_id
    where s.result is not null and (s.specimen_site <> 'metastasis' or p.m_status = 'm1')
    group by
        s.patient_key,
        s.tumour_id
),

episodes as (
    select
        f.patient_key,
        f.episode_key,
        min(f.diagnosis_date) as diagnosis_date,
        bool_or(coalesce(e.any_positive, t.her2_summary = 'positive', false)) as ever_positive
    from fct_episodes as f
    inner join stg_tumours as t on f.patient_key = t.patient_key and f.tumour_id = t.tumour_id
    left join evidence as e on f.patient_key = e.patient_key and f.tumour_id = e.tumour_id
    group by
        f.patient_key,
        f.episode_key
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
        ever_positive,
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
    ever_positive,
    case when earlier is null then date '0001-01-01' else diagnosis_date end as from_date,
    coalesce(cast(next_date - interval '1' day as date), date '9999-12-31') as through_date
from ordered;
