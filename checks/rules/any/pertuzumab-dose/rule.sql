-- Pertuzumab is given as its flat dose, at its interval and infusion time.
-- denominator: courses of pertuzumab with an intravenous dose, of episodes of any HER2 status.
with days as (
    select
        d.*,
        p.transfer_in_date is not null as moved_here,
        d.beside_course or coalesce(d.days_since >= $pertuzumab_gap_days, true) as may_load,
        d.beside_course
        or coalesce(d.days_since < $pertuzumab_gap_days, p.transfer_in_date is not null) as may_maintain
    from fct_antibody_dose_days as d
    inner join stg_patients as p on d.patient_key = p.patient_key
    where d.ingredient = 'pertuzumab'
),

-- Compared in single precision: 441 is five percent more than 420, not a hair above it.
compared as (
    select
        *,
        cast(
            least(
                case when may_load then abs(mg / $pertuzumab_loading_mg - 1) end,
                case when may_maintain then abs(mg / $pertuzumab_maintenance_mg - 1) end
            ) as float
        ) as deviation,
        case
            when beside_course or (days_since is null and moved_here) then false
            when days_since is null then infusion_minutes < $first_minutes
            else infusion_minutes not between $later_least_minutes and $later_most_minutes
        end as time_is_wrong
    from days
),

reactions as (
    select
        patient_key,
        min(event_date) as first_reaction_date
    from stg_events
    where event in ('infusion_reaction', 'anaphylaxis')
    group by patient_key
),

judged as (
    select
        c.*,
        case
            when c.form in ('sc', 'fixed') then 'not-intravenous'
            when c.unjudged is not null then c.unjudged
            when c.deviation > cast($mg_tolerance as float) and c.several then 'dose-unclear'
            when c.deviation > cast($mg_tolerance as float) then 'wrong-dose'
            when c.days_since < $interval_least_days and not c.beside_course then 'wrong-interval'
            when c.time_is_wrong and r.first_reaction_date <= c.dose_date then 'after-reaction'
            when c.time_is_wrong then 'wrong-time'
            else 'right'
        end as outcome
    from compared as c
    left join reactions as r on c.patient_key = r.patient_key
),

wrong_doses as (
    select
        patient_key,
        course_run,
        cast(dose_date as varchar) || ': ' || cast(mg as varchar) || ' mg'
        || coalesce(', ' || cast(days_since as varchar) || ' days after the one before', ', first dose')
        || coalesce(', ' || cast(infusion_minutes as varchar) || ' minutes', '') as told,
        row_number() over (
            partition by patient_key, course_run
            order by
                case outcome when 'wrong-dose' then 0 when 'wrong-interval' then 1 else 1 + 1 end asc,
                deviation desc,
                dose_date asc
        ) as position
    from judged
    where outcome in ('wrong-dose', 'wrong-interval', 'wrong-time', 'after-reaction')
),

counted as (
    select
        patient_key,
        course_run,
        max(episode_key) as episode_key,
        max(setting) as setting,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        bool_or(in_trial) as in_trial,
        count(*) filter (where outcome <> 'not-intravenous') as doses,
        count(*) filter (where outcome like 'wrong-%' or outcome in ('right', 'after-reaction')) as judged,
        count(*) filter (where outcome = 'wrong-dose') as wrong_doses,
        count(*) filter (where outcome = 'wrong-interval') as wrong_intervals,
        count(*) filter (where outcome = 'wrong-time') as wrong_times,
        count(*) filter (where outcome = 'after-reaction') as after_reaction,
        max(case when outcome like 'dose-%' then outcome end) as left_out
    from judged
    group by
        patient_key,
        course_run
),

numbered as (
    select
        *,
        row_number() over (partition by episode_key, setting order by first_date) as course_number
    from counted
),

her2_treated as (
    select distinct episode_key
    from fct_drug_spans
    where is_her2
),

documented_trials as (
    select distinct episode_key
    from fct_documented_trials
    where topic_name in ('pertuzumab-dose', 'pertuzumab', 'her2-antibody', 'her2')
),

population as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        h.episode_key is not null as her2_treated,
        c.* exclude (patient_key, episode_key, in_trial),
        c.in_trial or x.episode_key is not null as in_trial,
        c.wrong_doses + c.wrong_intervals + c.wrong_times as wrong,
        w.told as worst_dose
    from fct_tumours as t
    left join her2_treated as h on t.episode_key = h.episode_key
    left join numbered as c on t.episode_key = c.episode_key
    left join wrong_doses as w
        on c.patient_key = w.patient_key and c.course_run = w.course_run and w.position = 1
    left join documented_trials as x on t.episode_key = x.episode_key
    where t.is_index
)

select
    case setting when 'metastatic' then 'metastatic' else 'early' end
    || '-' || cast(coalesce(course_number, 1) as varchar) as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_date as decision_date,
    first_date as observed_from,
    date '0001-01-01' as drugs_from,
    last_date as drugs_through,
    case
        when not invasive then 'in-situ'
        when not her2_treated then 'no-her2-therapy'
        when coalesce(doses, 0) = 0 then 'no-pertuzumab'
        when in_trial then 'trial'
    end as excluded,
    case when judged = 0 then left_out end as missing_reason,
    ['treatments.dose', 'treatments.dose_unit'] as missing,
    case
        when wrong + after_reaction > 0 then null
        when judged = doses then 'doses-in-range'
        else 'judged-doses-in-range'
    end as met,
    case when wrong = 0 then 'infusion-reaction' end as excepted,
    case when wrong_doses + wrong_intervals = 0 then ['infusion-time'] else ['dose'] end as lacking,
    case
        when wrong_doses > 0 then 'dose-out-of-range'
        when wrong_intervals > 0 then 'interval-too-short'
        else 'infusion-time'
    end as failed,
    case when excluded is null then to_json(struct_pack(
        first_dose_date := first_date,
        last_dose_date := last_date,
        doses := doses,
        doses_judged := judged,
        doses_outside_range := wrong_doses,
        intervals_too_short := wrong_intervals,
        infusion_times_outside_range := wrong_times + after_reaction,
        worst_dose := worst_dose
    )) end as evidence
from population
