-- Chemotherapy of the first metastatic line lasts four to six months.
-- denominator: first lines with a cytotoxic drug and a HER2 antibody, no progression or death before enough days.
with drugs as (
    select
        episode_key,
        bool_or(is_cytotoxic) as has_chemotherapy,
        bool_or(is_her2_antibody) as has_antibody,
        min(first_date) filter (where is_cytotoxic) as first_date
    from fct_line_drugs
    where line_number = 1
    group by episode_key
),

dose_days as (
    select
        l.patient_key,
        l.episode_key,
        l.dose_date,
        d.first_date,
        bool_or(c.schedule = 'weekly') as is_weekly,
        -- A course tells no schedule; docetaxel alone is never weekly here, and capecitabine has no weeks.
        bool_or(l.derived and l.ingredient not in ('docetaxel', 'capecitabine')) as perhaps_weekly,
        max(case
            when c.schedule = 'weekly' then $weekly_days
            when c.schedule = 'two-weekly' then $two_weekly_days
            else $three_weekly_days
        end) as cycle_days,
        bool_or(l.open_course) as open_course,
        bool_or(l.is_regimen) as is_regimen,
        max(l.stop_reason) filter (
            where l.stop_reason in ('toxicity', 'patient-refusal', 'death')
        ) as stop_reason,
        date_diff(
            'day', lag(l.dose_date) over (partition by l.episode_key order by l.dose_date), l.dose_date
        ) as days_since
    from fct_line_days as l
    inner join drugs as d on l.episode_key = d.episode_key
    inner join fct_cytotoxic_days as c
        on l.episode_key = c.episode_key and l.ingredient = c.ingredient and l.dose_date = c.dose_date
    where l.line_number = 1
    group by
        l.patient_key,
        l.episode_key,
        l.dose_date,
        d.first_date
),

-- What follows a long pause once enough days have passed comes too late to change what was judged.
counted as (
    select
        *,
        sum(case when days_since > $running_days and dose_date > first_date + $min_days then 1 else 0 end) over (
            partition by episode_key
            order by dose_date
            rows between unbounded preceding and current row
        ) as late_pauses
    from dose_days
),

spans as (
    select
        patient_key,
        episode_key,
        first_date,
        max(dose_date) as last_date,
        date_diff('day', first_date, max(dose_date)) + arg_max(cycle_days, dose_date) as span_days,
        count(*) filter (where is_weekly) as weekly_doses,
        count(*) filter (where not is_weekly) as longer_cycles,
        bool_or(perhaps_weekly)
        and date_diff('day', first_date, max(dose_date)) >= ($min_weekly_doses - 1) * $weekly_days as perhaps_enough,
        bool_or(open_course) or bool_or(is_regimen) and count(*) = 1 as end_unknown,
        arg_max(stop_reason, dose_date) as stop_reason
    from counted
    where late_pauses = 0
    group by
        patient_key,
        episode_key,
        first_date
),

-- Chemotherapy that ran before the line could begin was cut: how long it lasted for the metastasis is not known.
begun_before as (
    select distinct s.episode_key
    from spans as s
    inner join fct_line_drugs as d on s.episode_key = d.episode_key
    inner join fct_cytotoxic_days as c on d.episode_key = c.episode_key and d.ingredient = c.ingredient
    where
        d.line_number = 1
        and c.dose_date < s.first_date
        and c.dose_date >= s.first_date - $running_days
),

toxicities as (
    select
        s.episode_key,
        min(e.reason) as reason
    from spans as s
    inner join fct_toxicity_stops as e on s.episode_key = e.episode_key
    where e.event_date between s.first_date and s.last_date + $running_days
    group by s.episode_key
),

-- A metastasis dated soon after the line began may be staging, or the progression that chemotherapy was stopped for.
perhaps_progressed as (
    select distinct s.episode_key
    from spans as s
    inner join fct_lines as l on s.episode_key = l.episode_key and l.line_number = 1
    inner join fct_interruptions as i on s.episode_key = i.episode_key and l.start_date < i.event_date
    where
        i.kind = 'recurrence'
        and i.event_date between s.last_date - $running_days and s.last_date + $running_days
),

judged as (
    select
        l.*,
        d.has_chemotherapy and d.has_antibody as has_both,
        s.first_date,
        s.last_date,
        s.span_days,
        s.weekly_doses,
        s.longer_cycles,
        s.perhaps_enough,
        s.end_unknown,
        s.stop_reason,
        x.reason as toxicity,
        b.episode_key is not null as begun_before,
        r.episode_key is not null as perhaps_progressed,
        cast(s.first_date + $min_days as date) as due_date,
        greatest(s.first_date + $min_days, s.last_date + $running_days) as open_until,
        s.span_days >= $min_days as enough_days,
        s.weekly_doses * $min_cycles + s.longer_cycles * $min_weekly_doses >= $min_cycles * $min_weekly_doses
            as enough_cycles
    from fct_lines as l
    inner join drugs as d on l.episode_key = d.episode_key
    left join spans as s on l.episode_key = s.episode_key
    left join toxicities as x on l.episode_key = x.episode_key
    left join begun_before as b on l.episode_key = b.episode_key
    left join perhaps_progressed as r on l.episode_key = r.episode_key
    where l.line_number = 1
)

select
    'line-1' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(first_date, start_date) as decision_date,
    due_date,
    cast(open_until as date) as open_until,
    coalesce(metastatic_date, date '0001-01-01') as observed_from,
    least(start_date, coalesce(metastatic_date, date '0001-01-01')) as drugs_from,
    cast(open_until as date) as drugs_through,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when not has_both then 'no-chemotherapy-with-antibody'
        when progression_date < due_date then 'early-progression'
        when death_date < due_date then 'early-death'
    end as excluded,
    case
        when enough_days or enough_cycles then null
        when end_unknown then 'no-end-date'
        when perhaps_enough and open_until <= observable_through then 'schedule-not-told'
        when begun_before and open_until <= observable_through then 'begun-before-metastasis'
        when certainty = 'low' and open_until <= observable_through then 'line-uncertain'
        when perhaps_progressed and open_until <= observable_through then 'perhaps-progressed'
    end as missing_reason,
    case
        when end_unknown then ['treatments.end_date']
        when perhaps_enough then ['treatments.record_kind']
        else ['events.event_date']
    end as missing,
    case
        when span_days > $upper_flag_days then 'beyond-six-months'
        when enough_days then 'long-enough'
        when enough_cycles then 'enough-cycles'
    end as met,
    coalesce(
        case stop_reason when 'death' then 'death-before-due' else stop_reason end,
        case when in_trial then 'trial' end,
        toxicity,
        case when progression_date <= last_date + $running_days then 'progression' end,
        case when death_date <= last_date + $running_days then 'death-before-due' end
    ) as excepted,
    ['chemotherapy'] as lacking,
    'stopped-early' as failed,
    span_days - $min_days as margin_days,
    case when has_both then to_json(struct_pack(
        line_start := start_date,
        first_cytotoxic_dose := first_date,
        last_cytotoxic_dose := last_date,
        span_with_last_cycle_days := span_days,
        weekly_doses := weekly_doses,
        longer_cycles := longer_cycles,
        drugs := drugs,
        recorded_stop_reason := stop_reason,
        progression_date := progression_date,
        line_certainty := certainty
    )) end as evidence
from judged
