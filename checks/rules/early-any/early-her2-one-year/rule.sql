-- Early HER2-positive disease is treated with a HER2 antibody for one year.
-- denominator: index tumours, HER2-positive, M0, with trastuzumab in curative setting and no conjugate.
with starts as (
    select
        t.*,
        d.first_trastuzumab_date
    from fct_tumours as t
    left join fct_first_doses as d on t.episode_key = d.episode_key
    where t.is_index
),

ladders as (
    select
        s.episode_key,
        count(*) filter (where a.has_trastuzumab) as dose_dates,
        count(*) filter (where a.has_trastuzumab and not a.weekly and not a.told_twice) as three_weekly_doses,
        sum(
            greatest(0, least(a.covers, date_diff('day', a.dose_date, s.first_trastuzumab_date + $max_span_days)))
        ) as covered_days,
        max(a.days_since) filter (where a.has_trastuzumab) as longest_interval_days,
        max(a.dose_date) filter (where a.has_trastuzumab) as last_dose_date,
        max(a.dose_date) as last_antibody_date,
        bool_or(a.trastuzumab_open or a.trastuzumab_in_sequence)
        or count(*) filter (where a.is_regimen) = 1 as open_course,
        bool_or(a.derived) as derived
    from starts as s
    inner join fct_antibody_days as a on s.episode_key = a.episode_key
    where a.dose_date <= s.first_trastuzumab_date + $max_span_days
    group by s.episode_key
),

totals as (
    select
        s.episode_key,
        sum(a.covers) as all_covered_days,
        bool_or(a.in_trial) as in_trial
    from starts as s
    inner join fct_antibody_days as a on s.episode_key = a.episode_key
    group by s.episode_key
),

last_doses as (
    select
        l.episode_key,
        coalesce(a.trastuzumab_stop, b.trastuzumab_stop, b.pertuzumab_stop) as stop_reason
    from ladders as l
    inner join fct_antibody_days as a on l.episode_key = a.episode_key and l.last_dose_date = a.dose_date
    inner join fct_antibody_days as b on l.episode_key = b.episode_key and l.last_antibody_date = b.dose_date
),

-- Before the first trastuzumab too: the conjugate is then the first part of the treatment, and its days do not count.
conjugates as (
    select distinct s.episode_key
    from starts as s
    inner join fct_doses as d on s.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where
        i.is_her2_conjugate
        and d.dose_date <= s.first_trastuzumab_date + $max_span_days
        and d.dose_date < coalesce(s.recurrence_date, date '9999-12-31')
),

toxicities as (
    select
        l.episode_key,
        min(e.reason) as reason
    from ladders as l
    inner join starts as s on l.episode_key = s.episode_key
    inner join fct_toxicity_stops as e on s.episode_key = e.episode_key
    where
        e.event_date between s.first_trastuzumab_date and l.last_dose_date + $stop_lookahead_days
        and l.last_dose_date <= e.last_dose_through
    group by l.episode_key
),

pauses as (
    select distinct
        s.episode_key,
        h.last_dose_date,
        h.resumed_date
    from starts as s
    inner join fct_cardiac_holds as h on s.episode_key = h.episode_key
    where
        h.setting = 'curative'
        and h.by_label
        and h.last_dose_date >= s.first_trastuzumab_date
        and h.resumed_date <= s.first_trastuzumab_date + $max_span_days
),

paused as (
    select
        episode_key,
        sum(greatest(0, date_diff('day', last_dose_date, resumed_date) - $three_weekly_days)) as paused_days
    from pauses
    group by episode_key
),

documented_trials as (
    select distinct episode_key
    from fct_documented_trials
    where topic_name in ('early-her2-one-year', 'trastuzumab', 'her2-antibody', 'her2')
),

judged as (
    select
        s.*,
        p.observable_through,
        l.dose_dates,
        l.three_weekly_doses,
        l.covered_days,
        o.all_covered_days,
        l.longest_interval_days,
        l.last_dose_date,
        l.open_course,
        l.derived,
        o.in_trial or r.episode_key is not null as in_trial,
        e.stop_reason,
        x.reason as toxicity,
        h.paused_days,
        c.episode_key is not null as switched,
        s.first_trastuzumab_date + $max_span_days as due_date,
        case when $target = '18-cycles' then $strict_cycles * $three_weekly_days else $min_covered_days end
            as target_days,
        case when $target = '18-cycles' then $strict_cycles else $min_three_weekly_doses end as target_doses,
        greatest(
            0, date_diff('day', p.observable_through, s.first_trastuzumab_date + $max_span_days)
        ) as days_left
    from starts as s
    inner join stg_patients as p on s.patient_key = p.patient_key
    left join ladders as l on s.episode_key = l.episode_key
    left join totals as o on s.episode_key = o.episode_key
    left join last_doses as e on s.episode_key = e.episode_key
    left join conjugates as c on s.episode_key = c.episode_key
    left join toxicities as x on s.episode_key = x.episode_key
    left join paused as h on s.episode_key = h.episode_key
    left join documented_trials as r on s.episode_key = r.episode_key
),

reached as (
    select
        *,
        covered_days >= target_days or three_weekly_doses >= target_doses as is_met,
        covered_days + days_left >= target_days
        or three_weekly_doses + floor(days_left / $three_weekly_days) + 1 >= target_doses
        or date_diff('day', last_dose_date, observable_through) <= $running_days as still_possible
    from judged
)

select
    'antibody-year' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_trastuzumab_date as decision_date,
    case
        when pathway = 'neoadjuvant' and coalesce(first_trastuzumab_date < first_surgery_date, true) then 'neoadjuvant'
        else 'default'
    end as edition,
    due_date,
    case when still_possible then due_date else least(due_date, observable_through) end as open_until,
    first_trastuzumab_date as clock_start,
    -- Doses given before a transfer in may make up for what is lacking, where it fits between diagnosis and first dose.
    case
        when covered_days + date_diff('day', diagnosis_date, first_trastuzumab_date) < target_days
            then first_trastuzumab_date
        else coalesce(diagnosis_date, date '0001-01-01')
    end as observed_from,
    date '0001-01-01' as drugs_from,
    due_date as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when first_trastuzumab_date is null then 'no-trastuzumab'
        when switched then 'switched-to-conjugate'
        when in_trial and not is_met then 'trial'
    end as excluded,
    case
        when not $conjugates_told_apart then 'conjugate-not-told-apart'
        when is_met then null
        when open_course then 'no-end-date'
        when dose_dates = 1 then 'single-dose'
    end as missing_reason,
    case
        when missing_reason = 'no-end-date' then ['treatments.end_date']
        when missing_reason = 'single-dose' then ['treatments.start_date']
        else ['treatments.drug']
    end as missing,
    case
        when is_met and all_covered_days > $over_days then 'over-a-year'
        when is_met then 'one-year'
    end as met,
    coalesce(
        case stop_reason
            when 'toxicity' then 'toxicity'
            when 'patient-refusal' then 'patient-refusal'
            when 'progression' then 'progression'
            when 'death' then 'death-before-due'
        end,
        toxicity,
        case when not still_possible and covered_days + paused_days >= target_days then 'contraindication-cardiac' end
    ) as excepted,
    ['trastuzumab'] as lacking,
    'stopped-before-one-year' as failed,
    covered_days - target_days as margin_days,
    case when excluded is null then to_json(struct_pack(
        first_dose_date := first_trastuzumab_date,
        last_dose_date := last_dose_date,
        dose_dates := dose_dates,
        covered_days := covered_days,
        longest_interval_days := longest_interval_days,
        paused_for_the_heart_days := paused_days,
        derived_from_course_dates := derived,
        first_surgery_date := first_surgery_date,
        recorded_stop_reason := stop_reason,
        her2_basis := her2_basis
    )) end as evidence
from reached
