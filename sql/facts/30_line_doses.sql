-- metastatic_episodes: one row an episode with metastatic disease, and from when on its doses can be a line's.
-- The record may date the metastasis late, so treatment begun shortly before it is treatment of it; endocrine treatment
-- begun before a recurrence was known is not.
create or replace temp table metastatic_episodes as
select
    e.patient_key,
    e.episode_key,
    e.diagnosis_date,
    e.metastatic_date,
    bool_or(s.m_status = 'm1') as de_novo,
    cast(e.metastatic_date - $before_diagnosis_days as date) as drugs_from,
    cast(
        e.metastatic_date - case when bool_or(s.m_status = 'm1') then $before_diagnosis_days else 0 end as date
    ) as endocrine_from
from episode_starts as e
inner join fct_episodes as f on e.episode_key = f.episode_key
inner join fct_spread as s on f.patient_key = s.patient_key and f.tumour_id = s.tumour_id
where e.metastatic_date is not null
group by
    e.patient_key,
    e.episode_key,
    e.diagnosis_date,
    e.metastatic_date;

-- metastatic_doses: one row a day and ingredient of these episodes, early disease too: the only scan of the doses.
-- is_active: HER2-directed or cytotoxic.
create or replace temp table metastatic_doses as
select
    m.patient_key,
    m.episode_key,
    d.dose_date,
    d.ingredient,
    i.is_her2,
    i.is_cytotoxic,
    i.is_endocrine,
    i.is_her2 or i.is_cytotoxic as is_active,
    bool_or(d.derived) as derived,
    bool_or(d.open_course) as open_course,
    bool_or(d.is_regimen) as is_regimen,
    bool_or(d.in_trial) as in_trial,
    bool_or(coalesce(d.intent = 'palliative', false)) as palliative,
    bool_or(coalesce(d.intent in ('neoadjuvant', 'adjuvant', 'curative'), false)) as curative_intent,
    bool_or(coalesce(d.stop_reason = 'progression', false)) as stopped_at_progression,
    max(d.stop_reason) as stop_reason
from metastatic_episodes as m
inner join fct_doses as d on m.episode_key = d.episode_key
inner join ingredients as i on d.ingredient = i.ingredient
group by
    m.patient_key,
    m.episode_key,
    d.dose_date,
    d.ingredient,
    i.is_her2,
    i.is_cytotoxic,
    i.is_endocrine;

-- drug_courses: one row an ingredient's doses without a long gap: from when on they can open a line (null: never, as
-- they began in early disease, or for it by their recorded intent, and run on), and the day on which the drug was
-- stopped for progression.
create or replace temp table drug_courses as
with considered as (
    select
        d.*,
        m.de_novo,
        m.metastatic_date,
        case when d.is_endocrine then m.endocrine_from else m.drugs_from end as considered_from,
        date_diff(
            'day',
            lag(d.dose_date) over (partition by d.episode_key, d.ingredient order by d.dose_date),
            d.dose_date
        ) > case when d.is_endocrine then $endocrine_course_gap_days else $course_gap_days end as opens
    from metastatic_doses as d
    inner join metastatic_episodes as m on d.episode_key = m.episode_key
),

numbered as (
    select
        *,
        sum(case when opens then 1 else 0 end) over (
            partition by episode_key, ingredient
            order by dose_date
            rows between unbounded preceding and current row
        ) as course_number
    from considered
)

select
    episode_key,
    ingredient,
    case
        when
            de_novo
            or (
                min(dose_date) >= considered_from
                and not coalesce(bool_or(curative_intent and dose_date < metastatic_date), false)
            )
            then min(dose_date) filter (where dose_date >= considered_from)
        else min(dose_date) filter (where dose_date >= considered_from and palliative)
    end as opening_date,
    max(dose_date) filter (where stopped_at_progression) as progression_date
from numbered
group by
    episode_key,
    ingredient,
    course_number,
    de_novo,
    considered_from;
