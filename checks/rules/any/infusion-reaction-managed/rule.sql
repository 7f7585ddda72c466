-- A reaction to a HER2 antibody is met by a change of the infusion and a drug; after a grave one it is not given again.
-- denominator: episodes with a recorded reaction on the day of a HER2 antibody or the day after.
with reactions as (
    select
        patient_key,
        row_number,
        event_date,
        event,
        grade,
        action,
        coalesce(event = 'anaphylaxis' or grade >= $grave_grade, false) as grave,
        coalesce(event = 'anaphylaxis' or grade >= $least_grade, true) as judged,
        -- What was done may stand in several rows of one day.
        bool_or(
            action like '%rate_reduced%' or action like '%interrupted%' or action like '%stopped%'
        ) over one_day as changed,
        bool_or(action like '%medicated%') over one_day as medicated
    from stg_events
    where event in ('infusion_reaction', 'anaphylaxis')
    window one_day as (partition by patient_key, event_date)
),

-- What was given on the day of the reaction or the day before, and what of it later on.
around as (
    select
        r.patient_key,
        r.row_number,
        d.episode_key,
        d.ingredient,
        d.is_antibody,
        bool_or(not d.derived and d.dose_date between r.event_date - $delay_days and r.event_date) as at_reaction,
        bool_or(
            d.dose_date between r.event_date - $given_before_days and r.event_date
            or (d.open_course and d.dose_date <= r.event_date)
        ) as before_reaction,
        bool_or(not d.derived and d.dose_date > r.event_date) as again,
        bool_or(d.dose_date > r.event_date or d.open_course) as perhaps_again,
        min(d.dose_date) filter (where not d.derived and d.dose_date > r.event_date) as again_date
    from reactions as r
    inner join fct_reaction_doses as d on r.patient_key = d.patient_key
    group by
        r.patient_key,
        r.row_number,
        d.episode_key,
        d.ingredient,
        d.is_antibody
),

drugs_of_the_day as (
    select
        patient_key,
        row_number,
        bool_or(at_reaction) as any_drug,
        bool_or(at_reaction and not is_antibody) as other_drug
    from around
    group by
        patient_key,
        row_number
),

antibodies as (
    select
        patient_key,
        row_number,
        episode_key,
        bool_or(at_reaction) as at_reaction,
        bool_or(before_reaction) as before_reaction,
        bool_and(again) filter (where at_reaction) as all_again,
        bool_or(again) filter (where at_reaction) as some_again,
        bool_or(perhaps_again) filter (where at_reaction) as perhaps_again,
        max(again_date) filter (where at_reaction) as again_date,
        list_sort(list(ingredient) filter (where at_reaction)) as ingredients
    from around
    where is_antibody
    group by
        patient_key,
        row_number,
        episode_key
),

-- A drug against reactions without a date may have been given then: dated says that one surely was.
medicines as (
    select
        r.patient_key,
        r.row_number,
        bool_or(m.given_date is not null) as dated
    from reactions as r
    inner join fct_reaction_medicines as m on r.patient_key = m.patient_key
    where m.given_date is null or m.given_date between r.event_date and r.event_date + $delay_days
    group by
        r.patient_key,
        r.row_number
),

plans as (
    select distinct e.episode_key
    from stg_exceptions as x
    inner join fct_episodes as e on x.patient_key = e.patient_key
    where
        coalesce(x.tumour_id, e.tumour_id) = e.tumour_id
        and x.reason = 'mdt-documented-deviation'
        and x.topic_name in (
            'infusion-reaction-managed', 'trastuzumab', 'pertuzumab', 'margetuximab', 'her2-antibody', 'her2'
        )
),

items as (
    select
        r.*,
        a.episode_key,
        a.ingredients,
        a.again_date,
        not a.at_reaction as administration_missing,
        r.changed is null as action_missing,
        coalesce(r.medicated or m.dated, false) as treated,
        m.row_number is not null as perhaps_treated,
        p.episode_key is not null as planned,
        r.grave and a.all_again and not o.other_drug as given_again,
        r.grave and a.some_again as some_given_again,
        r.grave and a.perhaps_again as perhaps_given_again
    from reactions as r
    inner join antibodies as a on r.patient_key = a.patient_key and r.row_number = a.row_number
    inner join drugs_of_the_day as o on r.patient_key = o.patient_key and r.row_number = o.row_number
    left join medicines as m on r.patient_key = m.patient_key and r.row_number = m.row_number
    left join plans as p on a.episode_key = p.episode_key
    where a.at_reaction or (a.before_reaction and not o.any_drug)
),

weighed as (
    select
        *,
        case
            when administration_missing then null
            when given_again and not planned then 'given-again'
            when action_missing then null
            when not changed and not perhaps_treated and not treated then 'nothing-done'
            when not changed then 'infusion-not-changed'
            when not perhaps_treated and not treated then 'no-medicine'
        end as failure,
        case
            when administration_missing then 'administration-not-recorded'
            when action_missing then 'action-not-recorded'
            when not treated then 'medicine-without-date'
            when some_given_again and not planned then 'culprit-not-recorded'
            when perhaps_given_again and not planned then 'days-not-recorded'
        end as lack
    from items
    where judged
),

cases_judged as (
    select
        episode_key,
        min(event_date) as first_date,
        min(failure) filter (where failure = 'given-again') as again_failure,
        max(failure) as failure,
        max(case failure when 'given-again' then again_date else event_date end) filter (
            where failure is not null
        ) as failed_date,
        min(event_date) filter (where failure is not null) as first_failed_date,
        min(lack) as lack,
        bool_or(perhaps_given_again) as rechallenged,
        count(*) as reactions,
        count(failure) as not_met
    from weighed
    group by episode_key
),

shown as (
    select
        episode_key,
        bool_or(judged) as any_judged,
        list_sort(list(
            cast(event_date as varchar) || ' ' || event
            || ', grade ' || coalesce(cast(grade as varchar), 'not recorded')
            || ', ' || coalesce(action, 'action not recorded') || ', with '
            || coalesce(array_to_string(ingredients, ' and '), 'a day not recorded')
            || case when treated then ', drug given' else '' end
            || coalesce(', again on ' || cast(case when grave then again_date end as varchar), '')
        )) as says
    from items
    group by episode_key
)

select
    t.patient_key,
    t.tumour_id,
    t.site_id,
    t.episode_key,
    c.first_date as decision_date,
    c.failed_date as observed_from,
    c.first_failed_date as drugs_from,
    c.failed_date + $delay_days as drugs_through,
    case
        when s.episode_key is null then 'no-reaction'
        when not s.any_judged then 'mild'
    end as excluded,
    case when c.failure is null then c.lack end as missing_reason,
    case c.lack
        when 'action-not-recorded' then ['events.action']
        when 'culprit-not-recorded' then ['exceptions.reason']
        else ['treatments.start_date']
    end as missing,
    case
        when c.failure is not null then null
        when c.rechallenged then 'rechallenge-documented'
        else 'managed'
    end as met,
    ['management'] as lacking,
    coalesce(c.again_failure, c.failure) as failed,
    case
        when s.episode_key is not null
            then to_json(struct_pack(
                reactions := c.reactions,
                not_met := c.not_met,
                in_order := s.says
            ))
    end as evidence
from fct_tumours as t
left join shown as s on t.episode_key = s.episode_key
left join cases_judged as c on t.episode_key = c.episode_key
where t.is_index
