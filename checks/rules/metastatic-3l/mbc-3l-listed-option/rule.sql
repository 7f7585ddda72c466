-- From the third metastatic line on a listed HER2-directed regimen is given.
-- denominator: lines that count as third or later in HER2-positive disease, outside trials.
with given as (
    select
        episode_key,
        line_number,
        ingredient,
        is_cytotoxic,
        is_endocrine,
        first_date,
        days_from_start
    from fct_line_drugs
),

-- A course of an earlier line that nobody ended may go on beside the drugs of this one.
unended as (
    select
        l.episode_key,
        l.line_number,
        o.ingredient,
        o.is_cytotoxic,
        o.is_endocrine,
        o.first_date,
        o.days_from_start
    from fct_lines as l
    inner join fct_line_drugs as o on l.episode_key = o.episode_key and l.line_number > o.line_number
    where o.open_course and o.stop_reason is null
),

readings as (
    select
        *,
        'begun in time' as reading
    from given
    where days_from_start <= $component_days
    union all
    select
        *,
        'whole line' as reading
    from given
    union all
    select
        *,
        'with unended courses' as reading
    from given
    union all
    select
        *,
        'with unended courses' as reading
    from unended
),

drugs as (
    select
        reading,
        episode_key,
        line_number,
        bool_or(ingredient = 'trastuzumab') as trastuzumab,
        bool_or(ingredient = 'pertuzumab') as pertuzumab,
        bool_or(ingredient = 'margetuximab') as margetuximab,
        bool_or(ingredient = 'trastuzumab-emtansine') as emtansine,
        bool_or(ingredient = 'trastuzumab-deruxtecan') as deruxtecan,
        bool_or(ingredient = 'tucatinib') as tucatinib,
        bool_or(ingredient = 'lapatinib') as lapatinib,
        bool_or(ingredient = 'neratinib') as neratinib,
        bool_or(ingredient = 'capecitabine') as capecitabine,
        bool_or(is_cytotoxic) as chemotherapy,
        bool_or(is_endocrine) as endocrine,
        bool_and(is_endocrine) as endocrine_alone,
        max(first_date) as last_begun_date
    from readings
    group by
        reading,
        episode_key,
        line_number
),

naive as (
    select
        l.episode_key,
        l.line_number,
        count(*) filter (where h.ingredient = 'trastuzumab-emtansine') = 0 as of_emtansine,
        count(*) filter (where h.ingredient = 'trastuzumab-deruxtecan') = 0 as of_deruxtecan,
        count(*) filter (where h.ingredient = 'pertuzumab') = 0 as of_pertuzumab,
        count(*) filter (where h.ingredient = 'tucatinib') = 0 as of_tucatinib
    from fct_lines as l
    left join fct_prior_her2 as h on l.episode_key = h.episode_key and l.line_number = h.line_number
    group by
        l.episode_key,
        l.line_number
),

offered as (
    select
        l.*,
        m.counts_as_line,
        d.reading,
        d.endocrine_alone,
        d.last_begun_date,
        p.transfer_in_date,
        case
            when d.tucatinib and d.capecitabine and d.trastuzumab and l.start_date >= $tucatinib_from then 'tucatinib'
            when d.lapatinib and (d.capecitabine or d.trastuzumab) then 'lapatinib'
            when d.trastuzumab and d.chemotherapy then 'trastuzumab-chemotherapy'
            when d.margetuximab and d.chemotherapy and l.start_date >= $margetuximab_from then 'margetuximab'
            when d.neratinib and d.capecitabine and l.start_date >= $neratinib_from then 'neratinib'
            when d.trastuzumab and d.endocrine and l.hr_status = 'positive' then 'trastuzumab-endocrine'
            when d.endocrine_alone and l.hr_status = 'positive' and $endocrine = 'alone-too' then 'endocrine'
        end as option_whatever_before,
        case
            when d.emtansine and n.of_emtansine and l.start_date >= $emtansine_from then 'emtansine'
            when d.deruxtecan and n.of_deruxtecan and l.start_date >= $deruxtecan_from then 'deruxtecan'
            when d.pertuzumab and d.trastuzumab and n.of_pertuzumab then 'pertuzumab'
        end as option_if_new,
        d.trastuzumab and d.endocrine and l.hr_status = 'unknown' as needs_hr,
        $preference = 'any-listed' or l.start_date < $tucatinib_from or not n.of_tucatinib as any_order,
        cast(l.start_date + $component_days as date) as due_date
    from fct_lines as l
    inner join fct_line_numbers as m
        on l.episode_key = m.episode_key and l.line_number = m.line_number and m.early_relapse = $early_relapse
    inner join drugs as d on l.episode_key = d.episode_key and l.line_number = d.line_number
    inner join naive as n on l.episode_key = n.episode_key and l.line_number = n.line_number
    inner join stg_patients as p on l.patient_key = p.patient_key
    where m.counts_as_line - 1 > 1
),

options as (
    select
        *,
        case
            when any_order or option_whatever_before = 'tucatinib'
                then coalesce(option_whatever_before, option_if_new)
        end as option_met,
        option_whatever_before is null
        and option_if_new is not null
        and transfer_in_date > coalesce(diagnosis_date, date '0001-01-01') as history_unknown
    from offered
),

-- A drug joins a line later too; what replaced every drug of it without a progression on record may belong to it.
answered as (
    select
        o.*,
        case
            when o.option_met is not null then o.option_met
            when w.last_begun_date + $component_days <= o.observable_through and not coalesce(w.history_unknown, false)
                then w.option_met
        end as met,
        case
            when w.option_met is not null then w.last_begun_date + $component_days
        end as joined_by,
        o.ended_by = 'drug-change' and n.option_met is not null as may_go_on,
        w.option_met is null and u.option_met is not null as rests_on_unended,
        h.weak_date
    from options as o
    inner join options as w
        on o.episode_key = w.episode_key and o.line_number = w.line_number and w.reading = 'whole line'
    inner join options as u
        on o.episode_key = u.episode_key and o.line_number = u.line_number and u.reading = 'with unended courses'
    left join options as n
        on o.episode_key = n.episode_key and o.line_number + 1 = n.line_number and n.reading = 'whole line'
    left join fct_weak_hearts as h on o.episode_key = h.episode_key and o.line_number = h.line_number
    where o.reading = 'begun in time'
)

select
    'line-' || line_number as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    start_date as decision_date,
    due_date,
    -- Whether a drug joins or replaces all others shows in the days after it.
    greatest(due_date, cast(joined_by as date)) as open_until,
    cast(start_date + 1 as date) as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    start_date as drugs_from,
    due_date as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when in_trial then 'trial'
        when endocrine_alone and hr_status = 'negative' then 'endocrine-alone-hr-negative'
    end as excluded,
    case
        when not $conjugates_told_apart then 'conjugate-not-told-apart'
        when history_unknown then 'history-unknown'
        when met is not null or due_date > observable_through then null
        when needs_hr then 'hr-unknown'
        when not number_certain or may_go_on then 'line-uncertain'
        when rests_on_unended then 'no-end-date'
    end as missing_reason,
    case
        when not $conjugates_told_apart then ['treatments.drug']
        when history_unknown then ['patients.transfer_in_date']
        when needs_hr then ['tumours.er_status']
        when number_certain and not may_go_on then ['treatments.end_date']
        else ['events.event_date']
    end as missing,
    met,
    case
        when death_date = start_date then 'death-before-due'
        when weak_date is not null and not has_her2 then 'heart'
        when progression_date < due_date then 'progression'
    end as excepted,
    ['her2'] as lacking,
    'outside-every-option' as failed,
    to_json(struct_pack(
        line_start := start_date,
        counts_as_line := counts_as_line,
        drugs := first_drugs,
        drugs_of_the_line := drugs,
        her2_drugs_before := prior_her2,
        hormone_receptors := hr_status,
        heart_failure_or_low_lvef_on := weak_date,
        began_by := began_by,
        line_certainty := certainty
    )) as evidence
from answered
