-- After progression another HER2-directed regimen follows.
-- denominator: lines with a HER2 drug and a progression on record, followed by another line in time.
with next_drugs as (
    select
        d.episode_key,
        d.line_number,
        bool_or(d.is_her2) as any_her2,
        bool_or(d.is_her2 and b.ingredient is null) as new_her2
    from fct_line_drugs as d
    left join fct_line_drugs as b
        on d.episode_key = b.episode_key and d.line_number = b.line_number + 1 and d.ingredient = b.ingredient
    where d.days_from_start <= $component_days
    group by
        d.episode_key,
        d.line_number
),

judged as (
    select
        l.*,
        n.drugs as next_drugs,
        n.her2_at_line as next_her2,
        n.in_trial as next_in_trial,
        d.any_her2,
        d.new_her2,
        cast(coalesce(l.next_start_date + $component_days, l.last_progression_date + $next_line_days) as date)
            as due_date
    from fct_lines as l
    left join fct_lines as n on l.episode_key = n.episode_key and l.line_number = n.line_number - 1
    left join next_drugs as d on n.episode_key = d.episode_key and n.line_number = d.line_number
)

select
    'after-line-' || line_number as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(last_progression_date, next_start_date, start_date) as decision_date,
    due_date,
    due_date as open_until,
    last_progression_date as clock_start,
    metastatic_date as observed_from,
    coalesce(next_start_date, last_progression_date) as drugs_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when not has_her2 then 'no-her2-drug'
        when last_progression_date is null and next_start_date is null then 'no-progression'
        when next_her2 = 'negative' then 'her2-negative'
        when death_date <= last_progression_date + $death_days then 'death-soon-after'
        when next_start_date > last_progression_date + $next_line_days then 'no-next-line'
        when
            next_start_date is null
            and (death_date is not null or last_progression_date + $next_line_days <= observable_through)
            then 'no-next-line'
    end as excluded,
    case
        when last_progression_date is null then 'progression-not-recorded'
        when not $conjugates_told_apart then 'conjugate-not-told-apart'
        when new_her2 then null
        when certainty = 'low' and due_date <= observable_through then 'line-uncertain'
    end as missing_reason,
    case
        when last_progression_date is not null and not $conjugates_told_apart then ['treatments.drug']
        else ['events.event_date']
    end as missing,
    case when new_her2 then 'new-her2-drug' end as met,
    case when next_in_trial then 'trial' end as excepted,
    ['her2'] as lacking,
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
        line_certainty := certainty
    )) as evidence
from judged
