-- Long gaps in HER2 antibody treatment are explained, and the antibody is loaded again.
-- denominator: antibody treatment in one setting with a gap longer than the schedule allows, whatever the HER2 status.
with spaced as (
    select
        d.*,
        cast(d.dose_date - cast(d.days_since as integer) as date) as previous_date
    from fct_antibody_dose_days as d
    where
        not d.moved
        and d.days_since > $weekly_gap_days
        and d.days_since <= $course_end_days
        -- What no schedule can call a gap, most days by far, is left out before the day before is looked up: what is
        -- left and shorter than a gap in three-weekly treatment follows on a weekly interval.
        and d.form <> 'sc'
        and (
            d.days_since > $three_weekly_most_days
            or d.days_since >= $pertuzumab_gap_days
            or d.days_before <= $weekly_interval_days
        )
),

-- A weekly dose is told by its interval and its amount: six mg/kg a week after the last weekly one begins three-weekly
-- treatment.
paired as (
    select
        s.*,
        b.form as previous_form,
        b.stop_reason as previous_stop,
        b.in_sequence as previous_in_sequence,
        coalesce(
            b.weight_is_recent
            and cast(
                least(
                    abs(b.mg_kg / $trastuzumab_weekly_maintenance - 1), abs(b.mg_kg / $trastuzumab_weekly_loading - 1)
                ) as float
            ) <= cast($rounding_share as float),
            false
        ) as after_weekly_amount
    from spaced as s
    inner join fct_antibody_dose_days as b
        on s.patient_key = b.patient_key and s.ingredient = b.ingredient and s.previous_date = b.dose_date
),

-- Another HER2-targeted drug took its place: that is no gap in treatment.
replaced as (
    select distinct
        p.patient_key,
        p.ingredient,
        p.dose_date
    from paired as p
    inner join fct_doses as o on p.patient_key = o.patient_key
    inner join ingredients as i on o.ingredient = i.ingredient
    where
        i.is_her2
        and o.ingredient not in ('trastuzumab', 'pertuzumab')
        and o.dose_date between p.previous_date and p.dose_date
),

gaps as (
    select p.*
    from paired as p
    left join replaced as r
        on p.patient_key = r.patient_key and p.ingredient = r.ingredient and p.dose_date = r.dose_date
    where
        r.patient_key is null
        and case
            when p.ingredient = 'pertuzumab' then p.days_since >= $pertuzumab_gap_days
            when p.form = 'fixed' or p.previous_form = 'fixed' then p.days_since >= $pertuzumab_gap_days
            else p.after_weekly_amount or p.days_since > $three_weekly_most_days
        end
),

-- Compared in single precision: 8.8 is ten percent more than 8, not a hair above it.
compared as (
    select
        *,
        cast(
            case
                when form = 'fixed' then abs(mg / $fixed_loading_mg - 1)
                when ingredient = 'pertuzumab' then abs(mg / $pertuzumab_loading_mg - 1)
                when days_until between $weekly_interval_days + 1 and $three_weekly_most_days
                    then abs(mg_kg / $trastuzumab_loading - 1)
                else
                    least(abs(mg_kg / $trastuzumab_loading - 1), abs(mg_kg / $trastuzumab_weekly_loading - 1))
            end as float
        ) as deviation
    from gaps
),

-- What is recorded from the last dose before a gap to the first one after it and explains it.
recorded_causes as (
    select
        patient_key,
        event_date as from_date,
        event_date as through_date,
        cast(null as varchar) as ingredient
    from stg_events
    where
        event in ('pregnancy', 'progression', 'ild', 'anaphylaxis')
        or action like '%stopped%'
        or action like '%interrupted%'
    union all
    select
        patient_key,
        surgery_date as from_date,
        surgery_date as through_date,
        null as ingredient
    from stg_surgeries
    where surgery_date is not null
    union all
    select
        patient_key,
        date '0001-01-01' as from_date,
        date '9999-12-31' as through_date,
        case when topic_name in ('trastuzumab', 'pertuzumab') then topic_name end as ingredient
    from stg_exceptions
    where topic_name in ('her2-gap-reload', 'trastuzumab', 'pertuzumab', 'her2-antibody', 'her2')
    union all
    -- What the heart showed shortly before the last dose may have come too late for that one.
    select
        patient_key,
        from_date + 1 as from_date,
        from_date + $lvef_action_days as through_date,
        null as ingredient
    from fct_cardiac_holds
    where by_label
),

-- Where both antibodies paused together, what explains the pause of the one explains that of the other.
explained as (
    select distinct
        c.patient_key,
        c.ingredient,
        c.dose_date
    from compared as c
    inner join compared as o
        on
            c.patient_key = o.patient_key
            and abs(date_diff('day', o.previous_date, c.previous_date)) <= $together_days
            and abs(date_diff('day', o.dose_date, c.dose_date)) <= $together_days
    left join recorded_causes as r
        on
            o.patient_key = r.patient_key
            and o.ingredient = coalesce(r.ingredient, o.ingredient)
            and o.dose_date >= r.from_date
            and o.previous_date <= r.through_date
    where o.previous_stop is not null or r.patient_key is not null
),

zeros as (
    select distinct
        c.patient_key,
        c.ingredient,
        c.dose_date
    from compared as c
    inner join fct_zero_doses as z on c.patient_key = z.patient_key and c.ingredient = z.ingredient
    where z.dose_date > c.previous_date and z.dose_date < c.dose_date
),

open_courses as (
    select
        episode_key,
        setting,
        ingredient,
        min(dose_date) as open_date
    from fct_antibody_dose_days
    where open_course
    group by
        episode_key,
        setting,
        ingredient
),

judged as (
    select
        c.*,
        case
            when z.patient_key is not null then 'zero-dose-in-gap'
            when c.in_sequence or c.previous_in_sequence then 'days-not-recorded'
            when o.open_date <= c.previous_date then 'no-end-date'
        end as may_be_filled,
        case
            when c.deviation <= cast($rounding_share as float) then 'loaded'
            when c.unjudged is not null or c.several or not c.weight_is_recent then 'not-known'
            else 'not-loaded'
        end as reload,
        c.days_since > $unexplained_gap_days and e.patient_key is null as unexplained
    from compared as c
    left join explained as e
        on c.patient_key = e.patient_key and c.ingredient = e.ingredient and c.dose_date = e.dose_date
    left join zeros as z
        on c.patient_key = z.patient_key and c.ingredient = z.ingredient and c.dose_date = z.dose_date
    left join open_courses as o
        on c.episode_key = o.episode_key and c.setting = o.setting and c.ingredient = o.ingredient
),

weighed as (
    select
        *,
        case when reload <> 'loaded' or unexplained then may_be_filled end as doubtful
    from judged
),

trials as (
    select distinct
        episode_key,
        setting
    from fct_antibody_dose_days
    where in_trial
),

treatments_judged as (
    select
        episode_key,
        setting,
        min(dose_date) as decision_date,
        min(previous_date) as first_gap_date,
        max(dose_date) as last_date,
        bool_or(ingredient = 'trastuzumab') as of_trastuzumab,
        max(doubtful) as doubtful,
        count(*) as gaps,
        count(*) filter (where reload = 'loaded') as loaded,
        count(*) filter (where doubtful is null and reload = 'not-known') as not_known,
        count(*) filter (where doubtful is null and reload = 'not-loaded') as not_loaded,
        count(*) filter (where doubtful is null and unexplained) as unexplained,
        bool_or(doubtful is null and reload = 'not-loaded' and ingredient = 'trastuzumab') as trastuzumab_not_loaded,
        bool_or(doubtful is null and reload = 'not-loaded' and ingredient = 'pertuzumab') as pertuzumab_not_loaded,
        max(days_since) as longest_gap_days,
        list_sort(list(
            cast(previous_date as varchar) || ' to ' || cast(dose_date as varchar) || ': ' || ingredient || ', '
            || cast(days_since as varchar) || ' days, then '
            || coalesce(cast(mg_kg as varchar) || ' mg/kg', cast(mg as varchar) || ' mg', 'no amount on record') || ' ('
            || reload || ')' || case when unexplained then ', no reason on record' else '' end
        )) as told
    from weighed
    group by
        episode_key,
        setting
),

her2_treated as (
    select
        episode_key,
        bool_or(ingredient in ('trastuzumab', 'pertuzumab')) as with_antibody
    from fct_drug_spans
    where is_her2
    group by episode_key
),

documented_trials as (
    select distinct episode_key
    from fct_documented_trials
    where
        topic_name in ('her2-gap-reload', 'trastuzumab', 'pertuzumab', 'her2-antibody', 'her2')
),

population as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        h.episode_key is not null as her2_treated,
        coalesce(h.with_antibody, false) as with_antibody,
        g.* exclude (episode_key),
        r.episode_key is not null or x.episode_key is not null as in_trial
    from fct_tumours as t
    left join her2_treated as h on t.episode_key = h.episode_key
    left join treatments_judged as g on t.episode_key = g.episode_key
    left join trials as r on g.episode_key = r.episode_key and g.setting = r.setting
    left join documented_trials as x on t.episode_key = x.episode_key
    where t.is_index
)

select
    case setting when 'metastatic' then 'metastatic' else 'early' end as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    case when of_trastuzumab then 'default' else 'pertuzumab' end as edition,
    decision_date,
    first_gap_date as observed_from,
    -- The dose after it tells the schedule, and so which dose is a loading one.
    last_date + $three_weekly_most_days as drugs_through,
    case
        when not invasive then 'in-situ'
        when not her2_treated then 'no-her2-therapy'
        when not with_antibody then 'no-antibody'
        when gaps is null then 'no-over-long-gap'
        when in_trial then 'trial'
    end as excluded,
    case
        when not_loaded + unexplained > 0 and not $conjugates_told_apart then 'conjugate-not-told-apart'
        when not_loaded > 0 then null
        when unexplained > 0 and not $causes_linked then 'stream-not-linked'
        when unexplained > 0 then null
        when doubtful is not null then doubtful
        when not_known > 0 then 'reload-not-known'
    end as missing_reason,
    case missing_reason
        when 'conjugate-not-told-apart' then ['treatments.drug']
        when 'stream-not-linked' then ['surgeries', 'events', 'exceptions', 'cardiac_assessments']
        when 'no-end-date' then ['treatments.end_date']
        when 'days-not-recorded' then ['treatments.drug']
        else ['treatments.dose', 'treatments.dose_unit', 'observations.weight_kg']
    end as missing,
    case when not_loaded + unexplained = 0 then 'reloaded' end as met,
    case
        -- A reason that would explain the other gap is not on record.
        when unexplained > 0 then []
        when trastuzumab_not_loaded and pertuzumab_not_loaded then ['both']
        when trastuzumab_not_loaded then ['trastuzumab']
        when pertuzumab_not_loaded then ['pertuzumab']
        else []
    end as lacking,
    case when not_loaded > 0 then 'not-reloaded' else 'gap-unexplained' end as failed,
    case when excluded is null then to_json(struct_pack(
        gaps := told,
        over_long_gaps := gaps,
        followed_by_loading_dose := loaded,
        without_reason := unexplained,
        longest_gap_days := longest_gap_days
    )) end as evidence
from population
