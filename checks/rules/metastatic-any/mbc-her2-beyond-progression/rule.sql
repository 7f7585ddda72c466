-- After progression another HER2-directed regimen follows.
-- denominator: lines with a HER2 drug and a progression on record, followed by another line in time.
with next_drugs as (
    select
        d.episode_key,
        d.line_number,
        bool_or(d.is_her2 and d.days_from_start <= $component_days) as any_her2,
        min(d.first_date) filter (where d.is_her2 and b.ingredient is null) as new_her2_date
    from fct_line_drugs as d
    left join fct_line_drugs as b
        on d.episode_key = b.episode_key and d.line_number = b.line_number + 1 and d.ingredient = b.ingredient
    group by
        d.episode_key,
        d.line_number
),

-- What replaced every drug of the next line without a progression on record may belong to it.
changed_to as (
    select distinct
        d.episode_key,
        d.line_number
    from fct_line_drugs as d
    inner join fct_lines as l on d.episode_key = l.episode_key and d.line_number = l.line_number
    left join fct_line_drugs as b
        on d.episode_key = b.episode_key and d.line_number = b.line_number + 1 + 1 and d.ingredient = b.ingredient
    where l.began_by = 'drug-change' and d.is_her2 and b.ingredient is null
),

judged as (
    select
        l.*,
        n.drugs as next_drugs,
        n.her2_at_line as next_her2,
        n.in_trial as next_in_trial,
        d.any_her2,
        d.new_her2_date,
        coalesce(date_diff('day', l.next_start_date, d.new_her2_date) <= $component_days, false) as new_her2,
        c.episode_key is not null as may_go_on,
        w.weak_date,
        case
            when l.last_dose_date > l.last_progression_date + $identical_regimen_days then 'same-regimen-continued'
            else 'no-next-line'
        end as no_next_line,
        cast(coalesce(l.next_start_date + $component_days, l.last_progression_date + $next_line_days) as date)
            as due_date
    from fct_lines as l
    left join fct_lines as n on l.episode_key = n.episode_key and l.line_number = n.line_number - 1
    left join next_drugs as d on n.episode_key = d.episode_key and n.line_number = d.line_number
    left join changed_to as c on n.episode_key = c.episode_key and n.line_number = c.line_number - 1
    left join fct_weak_hearts as w on n.episode_key = w.episode_key and n.line_number = w.line_number
)

select
    'after-line-' || line_number as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(last_progression_date, next_start_date, start_date) as decision_date,
    due_date,
    -- Whether a drug joins or replaces all others shows in the days after it.
    greatest(due_date, cast(new_her2_date + $component_days as date)) as open_until,
    last_progression_date as clock_start,
    coalesce(metastatic_date, date '0001-01-01') as observed_from,
    -- A drug that nobody knows, given from the end of this line on, may be the next line itself.
    least(next_start_date, progression_date, cast(last_dose_date + 1 as date)) as drugs_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when not has_her2 then 'no-her2-drug'
        when last_progression_date is null and next_start_date is null then 'no-progression'
        when next_her2 <> 'positive' then 'her2-' || next_her2
        when death_date <= last_progression_date + $death_days then 'death-soon-after'
        when next_start_date > last_progression_date + $next_line_days then no_next_line
        when
            next_start_date is null
            and (death_date is not null or last_progression_date + $next_line_days <= observable_through)
            then no_next_line
    end as excluded,
    case
        when last_progression_date is null then 'progression-not-recorded'
        when not $conjugates_told_apart then 'conjugate-not-told-apart'
        when new_her2_date is not null then null
        when (certainty = 'low' or may_go_on) and due_date <= observable_through then 'line-uncertain'
    end as missing_reason,
    case
        when last_progression_date is not null and not $conjugates_told_apart then ['treatments.drug']
        else ['events.event_date']
    end as missing,
    case
        when new_her2 then 'new-her2-drug'
        when new_her2_date + $component_days <= observable_through then 'joined-later'
    end as met,
    case
        when next_in_trial then 'trial'
        when weak_date is not null and not any_her2 then 'heart'
    end as excepted,
    -- Until another line begins nothing is lacking that a reason could excuse.
    case when next_start_date is null then [] when any_her2 then ['her2'] else ['her2', 'dropped'] end as lacking,
    case when any_her2 then 'same-her2-drugs' else 'her2-dropped' end as failed,
    date_diff('day', next_start_date, last_progression_date + $next_line_days) as margin_days,
    has_her2 as gate_expected,
    progression_date is not null or death_date is not null as gate_seen,
    to_json(struct_pack(
        line_start := start_date,
        drugs := drugs,
        progression_date := last_progression_date,
        next_line_start := next_start_date,
        drugs_of_the_next_line := next_drugs,
        heart_failure_or_low_lvef_on := weak_date,
        line_certainty := certainty
    )) as evidence
from judged
