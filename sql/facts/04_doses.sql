-- fct_doses: one row a dated dose of one anticancer ingredient, in the episode that it counts for.
-- A course with both ends stands as three-weekly doses, the last on its end date (derived); a course without an end
-- is one dose on its first day (open_course). setting: curative, or metastatic from the metastatic date on.
create or replace table fct_doses as
with moved as (
    select
        patient_key,
        row_number,
        max(day) filter (where column_name = 'start_date') as start_date,
        max(day) filter (where column_name = 'end_date') as end_date
    from case_dates
    where table_name = 'treatments'
    group by
        patient_key,
        row_number
),

episode_starts as (
    select
        f.patient_key,
        f.episode_key,
        min(f.diagnosis_date) as diagnosis_date,
        min(s.metastatic_date) as metastatic_date
    from fct_episodes as f
    inner join fct_spread as s on f.patient_key = s.patient_key and f.tumour_id = s.tumour_id
    group by
        f.patient_key,
        f.episode_key
),

spans as (
    select
        s.patient_key,
        s.episode_key,
        s.from_date,
        s.through_date,
        e.metastatic_date,
        e.diagnosis_date - $before_diagnosis_days as earliest_date
    from fct_episode_spans as s
    inner join episode_starts as e on s.episode_key = e.episode_key
),

several as (
    select
        f.patient_key,
        f.tumour_id,
        f.episode_key,
        e.metastatic_date,
        e.diagnosis_date - $before_diagnosis_days as earliest_date
    from fct_episodes as f
    inner join episode_starts as e on f.episode_key = e.episode_key
    where f.tumour_count > 1
),

relevant as (
    select
        d.drug,
        d.via,
        d.route_hint,
        i.* exclude (is_her2),
        i.is_her2 and not i.outside_guideline as is_her2
    from drug_names as d
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_her2 or i.is_cytotoxic or i.is_endocrine
),

given as (
    select
        c.patient_key,
        t.row_number,
        t.tumour_id,
        coalesce(m.start_date, t.start_date) as start_date,
        coalesce(m.end_date, t.end_date) as end_date,
        t.record_kind,
        t.drug,
        t.route,
        t.intent,
        t.trial,
        t.stop_reason
    from treatments as t
    inner join cases as c on t.patient_id = c.patient_id
    left join moved as m on c.patient_key = m.patient_key and t.row_number = m.row_number
    where t.start_date is not null
),

assigned as (
    select
        g.patient_key,
        coalesce(v.episode_key, s.episode_key) as episode_key,
        coalesce(v.metastatic_date, s.metastatic_date) as metastatic_date,
        coalesce(v.earliest_date, s.earliest_date) as earliest_date,
        g.row_number,
        g.start_date,
        g.end_date,
        coalesce(g.record_kind = 'course', g.end_date > g.start_date, false) as is_course,
        coalesce(g.route, r.route_hint) = 'sc' as is_sc,
        g.intent,
        coalesce(g.trial, false) as in_trial,
        lower(g.stop_reason) as stop_reason,
        r.via = 'regimen' as is_regimen,
        r.ingredient,
        r.is_trastuzumab,
        r.is_pertuzumab,
        r.is_her2_antibody,
        r.is_her2_conjugate,
        r.is_her2,
        r.is_taxane,
        r.is_cytotoxic,
        r.is_endocrine
    from given as g
    inner join relevant as r on g.drug = r.drug
    inner join spans as s
        on
            g.patient_key = s.patient_key
            and g.start_date between s.from_date and s.through_date
    left join several as v on g.patient_key = v.patient_key and g.tumour_id = v.tumour_id
),

counted as (
    select
        *,
        case
            when is_course and end_date > start_date
                then cast(round(date_diff('day', start_date, end_date) / $three_weekly_days) as integer)
            else 0
        end as later_doses
    from assigned
    where earliest_date is null or start_date >= earliest_date
),

dated as (
    select
        *,
        start_date as dose_date
    from counted
    where later_doses = 0
    union all
    select
        c.*,
        case
            when n.n = c.later_doses then c.end_date
            else c.start_date + n.n * $three_weekly_days
        end as dose_date
    from counted as c
    inner join whole_numbers as n on c.later_doses >= n.n
    where c.later_doses > 0
)

select
    patient_key,
    episode_key,
    row_number,
    dose_date,
    ingredient,
    is_trastuzumab,
    is_pertuzumab,
    is_her2_antibody,
    is_her2_conjugate,
    is_her2,
    is_taxane,
    is_cytotoxic,
    is_endocrine,
    coalesce(is_sc, false) as is_sc,
    coalesce(is_regimen, false) as is_regimen,
    is_course as derived,
    is_course and end_date is null as open_course,
    case
        when intent = 'palliative' or dose_date >= metastatic_date then 'metastatic'
        else 'curative'
    end as setting,
    intent,
    in_trial,
    stop_reason
from dated;
