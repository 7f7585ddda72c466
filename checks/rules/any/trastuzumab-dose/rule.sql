-- Trastuzumab is loaded and maintained at its dose.
-- denominator: courses of trastuzumab in any form, of episodes of any HER2 status.
with days as (
    select
        d.*,
        p.transfer_in_date is not null as moved_here,
        -- What the intervals to the dose before and after say of the schedule.
        coalesce(d.days_since <= $weekly_interval_days or d.days_until <= $weekly_interval_days, false) as says_weekly,
        coalesce(
            d.days_since between $three_weekly_least_days and $three_weekly_most_days
            or d.days_until between $three_weekly_least_days and $three_weekly_most_days,
            false
        ) as says_three_weekly,
        coalesce(d.days_until > $three_weekly_most_days, true) as none_follows,
        coalesce(d.days_since > $weekly_gap_days and d.days_before <= $weekly_interval_days, false) as ends_weekly_pause
    from fct_antibody_dose_days as d
    inner join stg_patients as p on d.patient_key = p.patient_key
    where d.ingredient = 'trastuzumab'
),

scheduled as (
    select
        *,
        form in ('iv', 'unclear')
        and (beside_course or says_weekly or ends_weekly_pause or not says_three_weekly) as may_be_weekly,
        form in ('iv', 'unclear')
        and (beside_course or says_three_weekly or none_follows or not says_weekly) as may_be_three_weekly,
        beside_course or days_since is null or days_since > $three_weekly_most_days or ends_weekly_pause as may_load,
        beside_course or days_since is not null or moved_here as may_maintain
    from days
),

-- The sum of both parts' loading doses shows that the record sums them up: no other amount then tells the pertuzumab of
-- the fixed-dose combination.
summed_up as (
    select distinct patient_key
    from fct_antibody_dose_days
    where
        form = 'fixed'
        and cast(abs(mg / ($fixed_loading_mg + $trastuzumab_flat_mg) - 1) as float) <= cast($rounding_share as float)
),

-- The fixed-dose combination is judged on its pertuzumab.
fixed_days as (
    select
        d.patient_key,
        d.dose_date,
        case when d.unjudged is null and u.patient_key is not null then 'dose-unclear' else d.unjudged end as unjudged,
        d.mg,
        d.beside_course or coalesce(d.days_since >= $pertuzumab_gap_days, true) as may_load,
        case
            when d.beside_course then true
            else d.days_since < $pertuzumab_gap_days or d.days_since > $course_gap_days
        end as may_maintain
    from fct_antibody_dose_days as d
    left join summed_up as u on d.patient_key = u.patient_key
    where d.ingredient = 'pertuzumab' and d.form <> 'iv'
),

-- Each dose with the amounts that are right on its day.
doses as (
    select
        s.patient_key,
        s.course_run,
        s.dose_date,
        s.form,
        -- Days this near are one dose split over them or told twice, as easily as two.
        s.several
        or (not s.beside_course and coalesce(least(s.days_since, s.days_until) <= $one_dose_days, false)) as several,
        -- An amount of pertuzumab given beside it is none of the combination.
        case when s.form = 'fixed' and s.mg is not null then f.unjudged else s.unjudged end as unjudged,
        case
            when s.form = 'fixed' then case when s.mg is not null then f.mg end
            when s.form = 'sc' then s.mg
            else s.mg_kg
        end as amount,
        case when s.form in ('sc', 'fixed') then 'mg' else 'mg/kg' end as unit,
        s.weight_kg,
        s.weight_is_recent,
        case
            when f.may_load then $fixed_loading_mg
            when s.may_load and s.may_be_three_weekly then $trastuzumab_loading
        end as loading,
        case
            when s.form = 'sc' then $trastuzumab_flat_mg
            when s.form = 'fixed' then case when coalesce(f.may_maintain, s.moved_here) then $fixed_maintenance_mg end
            when s.may_maintain and s.may_be_three_weekly then $trastuzumab_maintenance
        end as maintenance,
        case when s.may_load and s.may_be_weekly then $trastuzumab_weekly_loading end as weekly_loading,
        case when s.may_maintain and s.may_be_weekly then $trastuzumab_weekly_maintenance end as weekly_maintenance
    from scheduled as s
    left join fixed_days as f on s.form = 'fixed' and s.patient_key = f.patient_key and s.dose_date = f.dose_date
    where s.form in ('iv', 'unclear', 'sc') or f.patient_key is not null
),

-- Compared in single precision: 6.6 is ten percent more than 6, not a hair above it.
compared as (
    select
        *,
        coalesce(loading, maintenance, weekly_loading, weekly_maintenance) as expected,
        cast(
            least(
                abs(amount / loading - 1),
                abs(amount / maintenance - 1),
                abs(amount / weekly_loading - 1),
                abs(amount / weekly_maintenance - 1)
            ) as float
        ) as deviation
    from doses
),

judged as (
    select
        *,
        case
            when deviation <= cast($rounding_share as float) then 'right'
            when unjudged is not null then unjudged
            when several then 'dose-unclear'
            when not weight_is_recent then 'weight-missing'
            else 'wrong'
        end as outcome
    from compared
),

-- furthest: of the wrong doses the one furthest off, the earliest of several.
counted as (
    select
        patient_key,
        course_run,
        count(*) as doses,
        count(*) filter (where outcome in ('right', 'wrong')) as judged,
        count(*) filter (where outcome = 'wrong') as wrong,
        count(*) filter (where outcome = 'wrong' and form <> 'fixed') as wrong_alone,
        max(case when outcome not in ('right', 'wrong') then outcome end) as left_out,
        max(case when outcome = 'wrong' then struct_pack(
            deviation := coalesce(deviation, 0),
            days_left := date_diff('day', dose_date, date '9999-12-31'),
            told := cast(dose_date as varchar) || ': ' || cast(amount as varchar) || ' ' || unit
            || coalesce(' at ' || cast(weight_kg as varchar) || ' kg', '')
            || ', expected ' || cast(expected as varchar)
        ) end) as furthest
    from judged
    group by
        patient_key,
        course_run
),

courses as (
    select
        patient_key,
        course_run,
        max(episode_key) as episode_key,
        max(setting) as setting,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        bool_or(in_trial) as in_trial,
        bool_or(not moved and days_since <= $weekly_interval_days) as is_weekly
    from fct_antibody_dose_days
    where ingredient = 'trastuzumab'
    group by
        patient_key,
        course_run
),

numbered as (
    select
        *,
        row_number() over (partition by episode_key, setting order by first_date) as course_number
    from courses
),

her2_treated as (
    select distinct episode_key
    from fct_drug_spans
    where is_her2
),

documented_trials as (
    select distinct episode_key
    from fct_documented_trials
    where topic_name in ('trastuzumab-dose', 'trastuzumab', 'her2-antibody', 'her2')
),

population as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        h.episode_key is not null as her2_treated,
        c.setting,
        c.course_number,
        c.first_date,
        c.last_date,
        c.is_weekly,
        c.in_trial or x.episode_key is not null as in_trial,
        n.doses,
        n.judged,
        n.wrong,
        n.wrong_alone,
        n.left_out,
        n.furthest.told as worst_dose
    from fct_tumours as t
    left join her2_treated as h on t.episode_key = h.episode_key
    left join numbered as c on t.episode_key = c.episode_key
    left join counted as n on c.patient_key = n.patient_key and c.course_run = n.course_run
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
    case when is_weekly then 'weekly' else 'default' end as edition,
    first_date as decision_date,
    first_date as observed_from,
    date '0001-01-01' as drugs_from,
    last_date as drugs_through,
    -- Earlier pertuzumab can make another dose of the combination right, and of nothing else.
    case when wrong_alone > 0 then ['trastuzumab'] end as doubted_drugs,
    case
        when not invasive then 'in-situ'
        when not her2_treated then 'no-her2-therapy'
        when first_date is null then 'no-trastuzumab'
        when in_trial then 'trial'
    end as excluded,
    case
        when judged = 0 then left_out
        when wrong > 0 and not $conjugates_told_apart then 'conjugate-not-told-apart'
    end as missing_reason,
    case
        when wrong > 0 then ['treatments.drug']
        when left_out = 'weight-missing' then ['observations.weight_kg']
        else ['treatments.dose', 'treatments.dose_unit']
    end as missing,
    case
        when wrong > 0 then null
        when judged = doses then 'doses-in-range'
        else 'judged-doses-in-range'
    end as met,
    ['trastuzumab'] as lacking,
    'dose-out-of-range' as failed,
    case when excluded is null then to_json(struct_pack(
        first_dose_date := first_date,
        last_dose_date := last_date,
        doses := doses,
        doses_judged := judged,
        doses_outside_range := wrong,
        furthest_dose := worst_dose
    )) end as evidence
from population
