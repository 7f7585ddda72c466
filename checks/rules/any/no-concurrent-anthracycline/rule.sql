-- No anthracycline is given while the heart is exposed to trastuzumab or pertuzumab.
-- denominator: episodes with the antibody, of patients with an anthracycline not long before or after.
with exposed_days as (
    select
        'proven' as reading,
        patient_key,
        episode_key,
        dose_date,
        curative,
        case when derived then dose_date else dose_date + $exposure_days end as through_date
    from fct_antibody_exposures
    where proven
    union all
    select
        'possible' as reading,
        patient_key,
        episode_key,
        dose_date,
        curative,
        case when open_ended then date '9999-12-31' else dose_date + $exposure_days end as through_date
    from fct_antibody_exposures
),

spaced as (
    select
        reading,
        episode_key,
        dose_date,
        lag(dose_date) over (partition by reading, episode_key order by dose_date) as date_before
    from exposed_days
),

course_starts as (
    select
        reading,
        episode_key,
        dose_date as first_date,
        lead(dose_date) over (partition by reading, episode_key order by dose_date) as next_first_date
    from spaced
    where coalesce(date_diff('day', date_before, dose_date) > $split_days, true)
),

courses as (
    select
        d.reading,
        d.patient_key,
        d.episode_key,
        s.first_date,
        max(d.dose_date) as last_date,
        max(d.through_date) as through_date,
        bool_or(d.curative) as curative
    from exposed_days as d
    inner join course_starts as s on d.reading = s.reading and d.episode_key = s.episode_key
    where d.dose_date >= s.first_date and d.dose_date < coalesce(s.next_first_date, date '9999-12-31')
    group by
        d.reading,
        d.patient_key,
        d.episode_key,
        s.first_date
),

-- Proven is a day of the anthracycline against a proven course; possible is all that it may have been.
pairs as (
    select
        c.*,
        a.start_date,
        case c.reading when 'proven' then a.start_date else a.through_date end as until_date
    from courses as c
    inner join fct_anthracyclines as a on c.patient_key = a.patient_key
    where c.reading = 'possible' or a.proven
),

compared as (
    select
        *,
        greatest(start_date, first_date) as both_date,
        until_date > first_date - $min_wait_days and start_date <= through_date as too_close,
        -- Days to the nearer edge of the days on which an anthracycline must not be given, negative inside.
        greatest(
            date_diff('day', until_date, first_date) - $min_wait_days,
            date_diff('day', last_date, start_date) - $exposure_days - 1
        ) as margin_days,
        start_date > last_date and start_date <= last_date + $washout_flag_days as in_washout
    from pairs
    where until_date >= first_date - $together_within_days and start_date <= last_date + $together_within_days
),

weighed as (
    select
        episode_key,
        min(both_date) as both_date,
        bool_or(curative) as curative,
        bool_or(too_close) as may_overlap,
        bool_or(in_washout) as in_washout,
        min(margin_days) as margin_days
    from compared
    group by episode_key
),

proven_overlaps as (
    select
        episode_key,
        max(both_date) as last_date,
        max(start_date) filter (where start_date >= first_date) as last_during_date,
        min(margin_days) as margin_days
    from compared
    where reading = 'proven' and too_close
    group by episode_key
),

same_days as (
    select distinct e.episode_key
    from fct_antibody_exposures as e
    inner join fct_anthracyclines as a on e.patient_key = a.patient_key and e.dose_date = a.start_date
    where e.proven and not e.derived and a.proven
),

anthracyclines as (
    select
        patient_key,
        min(start_date) as first_date,
        bool_or(in_trial) as in_trial,
        bool_or(ingredient = 'liposomal-doxorubicin') as liposomal,
        list_sort(list(distinct cast(start_date as varchar) || ' ' || ingredient)) as days
    from fct_anthracyclines
    group by patient_key
),

antibody_days as (
    select
        episode_key,
        bool_or(in_trial) as in_trial,
        list_sort(list(cast(dose_date as varchar) || ' antibody')) as days
    from fct_antibody_exposures
    group by episode_key
),

antibodies as (
    select
        episode_key,
        min(first_dose_date) as first_date,
        max(last_dose_date) as last_date,
        bool_or(setting = 'curative') as curative
    from fct_drug_spans
    where ingredient in ('trastuzumab', 'pertuzumab')
    group by episode_key
),

conjugates as (
    select
        s.episode_key,
        list_sort(list(distinct s.ingredient || ' from ' || cast(s.first_dose_date as varchar))) as overlapping
    from fct_drug_spans as s
    inner join fct_anthracyclines as a on s.patient_key = a.patient_key
    where s.is_her2_conjugate and a.start_date between s.first_dose_date and s.last_dose_date + $exposure_days
    group by s.episode_key
),

undated as (
    select
        e.episode_key,
        bool_or((i.is_trastuzumab or i.is_pertuzumab) and coalesce(u.tumour_id, e.tumour_id) = e.tumour_id) as antibody,
        bool_or(i.is_anthracycline) as anthracycline
    from fct_episodes as e
    inner join fct_undated_doses as u on e.patient_key = u.patient_key
    inner join ingredients as i on u.ingredient = i.ingredient
    group by e.episode_key
),

judged as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.first_surgery_date,
        b.first_date as first_antibody_date,
        b.last_date as last_antibody_date,
        coalesce(w.curative, b.curative, true) as curative,
        a.first_date as first_anthracycline_date,
        a.days as anthracycline_days,
        a.liposomal,
        d.days as antibody_days,
        w.both_date,
        w.may_overlap,
        w.in_washout,
        coalesce(o.margin_days, w.margin_days) as margin_days,
        o.last_date as overlap_date,
        o.last_during_date,
        s.episode_key is not null as on_one_day,
        a.in_trial or d.in_trial as in_trial,
        c.overlapping as conjugates,
        b.episode_key is not null or coalesce(u.antibody, false) as has_antibody,
        a.patient_key is not null or coalesce(u.anthracycline, false) as has_anthracycline,
        b.episode_key is null or a.patient_key is null as undated
    from fct_tumours as t
    left join antibodies as b on t.episode_key = b.episode_key
    left join anthracyclines as a on t.patient_key = a.patient_key
    left join undated as u on t.episode_key = u.episode_key
    left join antibody_days as d on t.episode_key = d.episode_key
    left join weighed as w on t.episode_key = w.episode_key
    left join proven_overlaps as o on t.episode_key = o.episode_key
    left join same_days as s on t.episode_key = s.episode_key
    left join conjugates as c on t.episode_key = c.episode_key
    where t.is_index
),

read as (
    select
        *,
        overlap_date is not null and (on_one_day or $overlap = 'never-trial-only') as fails
    from judged
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    case when curative then 'early' else 'default' end as edition,
    coalesce(both_date, first_antibody_date, first_anthracycline_date) as decision_date,
    overlap_date as observed_from,
    case
        when not has_antibody then 'no-antibody'
        when not has_anthracycline then 'no-anthracycline'
        when not undated and both_date is null then 'far-apart'
    end as excluded,
    case
        when not $conjugates_told_apart then 'conjugate-not-told-apart'
        when undated then 'undated'
        when overlap_date is null and may_overlap then 'days-not-recorded'
    end as missing_reason,
    case when $conjugates_told_apart then ['treatments.start_date'] else ['treatments.drug'] end as missing,
    case
        when fails then null
        when overlap_date is not null then 'flag-overlap'
        when in_washout then 'flag-washout'
        else 'apart'
    end as met,
    case when in_trial then 'trial' end as excepted,
    ['overlap'] as lacking,
    case
        when on_one_day then 'same-day'
        when last_during_date > first_surgery_date then 'during-antibody-after-surgery'
        when last_during_date is not null then 'during-antibody'
        else 'antibody-too-soon'
    end as failed,
    margin_days,
    case
        when both_date is not null
            then to_json(struct_pack(
                first_antibody_date := first_antibody_date,
                last_antibody_date := last_antibody_date,
                anthracyclines := anthracycline_days,
                days_in_order := case
                    when may_overlap then list_sort(list_concat(anthracycline_days, antibody_days))
                end,
                days_to_the_edge := margin_days,
                overlapping_conjugates := conjugates,
                stratum := case when liposomal and not curative then 'liposomal doxorubicin, metastatic' end,
                in_trial := in_trial
            ))
    end as evidence
from read
